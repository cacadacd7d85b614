"""Commands end in plain words wherever their output goes: a pipe, a full disk, an old terminal."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_settings import ROOT, environment


def manage(*words: str, **how: Any) -> "subprocess.CompletedProcess[str]":
    settings = how.pop("settings", {})
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(**settings),
        text=True,
        timeout=60,
        **how,
    )


def test_a_reader_that_has_enough_ends_a_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = manage("diffsettings", "--all", stdout=writer)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        result = manage("diffsettings", stdout=full)
    assert result.returncode == 1
    assert result.stderr == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("stream", [1, 2])
def test_an_output_that_is_closed_ends_no_command(stream: int) -> None:
    result = manage("diffsettings", preexec_fn=lambda: os.close(stream))
    assert result.returncode == 0
    assert "Traceback" not in (result.stderr or "")


def test_names_that_the_terminal_lacks_are_shown_all_the_same() -> None:
    old = {"PYTHONIOENCODING": "ascii", "OIDC_NAME": "Zo\u00eb \u65e5"}
    result = manage("diffsettings", settings=old)
    assert result.returncode == 0, result.stderr
    assert r"Zo\xeb \u65e5" in result.stdout


def test_control_c_leaves_no_traceback() -> None:
    # As in a terminal: what a shell runs in the background ignores it, and so do its children.
    heeds = "from signal import *; signal(SIGINT, default_int_handler); raise_signal(SIGINT)"
    result = manage("shell", "-c", heeds)
    assert (result.returncode, result.stderr) == (130, "")


def test_a_start_imports_no_client_of_http_or_of_a_database_that_is_not_asked() -> None:
    """Every command pays for what the applications import."""
    script = "import django; django.setup(); import sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(DJANGO_SETTINGS_MODULE="proxysite.settings"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {"httpx", "psycopg", "requests"} & {*result.stdout.split()} == set()


def test_what_two_make_at_once_is_told_in_one_line() -> None:
    made = "UNIQUE constraint failed: auth_user.username"
    result = manage("shell", "-c", f"from django.db.utils import *; raise IntegrityError({made!r})")
    assert result.returncode == 1
    assert result.stderr == f"Somebody made or changed the same at this moment: {made}\n"
