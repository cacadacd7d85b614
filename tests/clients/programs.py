"""The programs that `make clients` installs into .clients, and running one of them.

Each gets a home folder and a project of its own and nothing else of this machine's. Its model is
the simulator, which carries out the decisions in the prompt.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keys.agent_snippets import agent_snippets
from keys.snippet import Snippet, Target

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = ROOT / ".clients"
MCP_SERVER = [sys.executable, str(Path(__file__).parent / "mcp_server.py")]
# A turn takes a second or two; a machine that does much besides needs more.
TURN_S = 100.0
BROKEN = "def add(a, b):\n    return a - b\n"
MENDED = BROKEN.replace("-", "+")


def installed(program: str) -> str:
    """The path of a program; without it, or with half of it, the test is skipped."""
    whole = [mark.parent for mark in sorted(INSTALLED.glob("*/.installed"))]
    folders = [folder / "bin" for folder in whole]
    folders += [folder / "node_modules" / ".bin" for folder in whole]
    found = shutil.which(program, path=os.pathsep.join(map(str, folders)))
    return found or pytest.skip(f"{program} is not installed: see what `make clients` printed")


def snippet(name: str, target: Target) -> Snippet:
    return next(one for one in agent_snippets(target) if one.name == name)


@dataclass
class Place:
    """A home folder and a project with one file that holds a mistake."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.project.mkdir()
        self.file.write_text(BROKEN)
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "begin"]):
            identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
            subprocess.run(["git", *identity, *words], cwd=self.project, check=True, timeout=20)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def file(self) -> Path:
        return self.project / "calc.py"

    def follow(self, one: Snippet) -> None:
        """Does what the documents say: writes the files, and sets what is exported."""
        for part in one.parts:
            if part.where:
                path = self.home / part.where.removeprefix("~/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(part.text)
            elif part.kind == "sh":
                self.environment.update(re.findall(r"^export (\w+)=(.*)$", part.text, re.M))

    def change_json(self, where: str, change: dict[str, Any]) -> None:
        """Adds fields to a file of the home folder, which may not be there yet."""
        path = self.home / where
        known = json.loads(path.read_text()) if path.exists() else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**known, **change}))

    def run(self, *words: str, stdin: str = "", ends_well: bool = True, **environment: str) -> str:
        """What the program printed. It fails the test where it ends otherwise, or not in time."""
        folders = [str(Path(words[0]).parent), os.environ["PATH"]]
        settings = {
            "PATH": os.pathsep.join(folders),
            "HOME": str(self.home),
            "TMPDIR": str(self.folder),
            # No terminal; and nothing that is asked of the internet is worth waiting for.
            "TERM": "dumb",
            "CI": "1",
            **self.environment,
            **environment,
        }
        try:
            done = subprocess.run(
                words,
                cwd=self.project,
                env=settings,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TURN_S,
            )
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"{words[0]} was not done in {TURN_S:g} s:\n{late.stdout}\n{late.stderr}")
        assert (done.returncode == 0) is ends_well, done.stdout + done.stderr
        return done.stdout


def decide(*steps: Any) -> str:
    """A prompt for which the model does these things, one a turn."""
    return f"Mend calc.py, please. [decide {json.dumps(steps)}]"
