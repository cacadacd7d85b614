"""A client that runs in a process of its own: one JSON line in for each case, one JSON line out.

Node's clients and old Python ones are driven like this. The process starts once, since loading a
client takes longer than what most cases do with it.
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ANSWER_S = 20.0


class ClientFailed(Exception):
    """The client raised; `fields` is what a caller could read off its error."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields.get('name')}: {fields.get('message')}")
        self.fields = fields


class ClientProcess:
    """`call("case", …)` runs one of the script's cases and gives back what it returned."""

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self._log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
            )
        self._reader = ThreadPoolExecutor(1, "client-process")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def call(self, case: str, **given: Any) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"case": case, "given": given}) + "\n")
        stdin.flush()
        try:
            line = self._reader.submit(stdout.readline).result(ANSWER_S)
        except TimeoutError:
            # A late answer would pass for that of the next case.
            self._process.kill()
            raise
        assert line, f"the client ended during {case}:\n{self._log.read_text()}"
        answer = json.loads(line)
        if "error" in answer:
            raise ClientFailed(answer["error"])
        return answer["result"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
