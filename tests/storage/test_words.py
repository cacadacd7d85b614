"""What a failed database said: its own words, one line, and nothing that is nobody's business."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.db.utils import DataError, InterfaceError, OperationalError, ProgrammingError

from storage.sqlite_file import why_unusable
from storage.words import engine_words, is_outage, outage_behind, public_words

SAID_BY_LIBPQ = [
    (
        'connection failed: connection to server at "10.9.8.7", port 5433 failed: '
        "Connection refused\n\tIs the server running on that host and accepting connections?",
        "Connection refused",
    ),
    (
        'connection failed: connection to server at "10.9.8.7", port 5433 failed: '
        "FATAL:  sorry, too many clients already",
        "FATAL:  sorry, too many clients already",
    ),
    (
        'connection failed: connection to server on socket "/run/pg/.s.PGSQL.5433" failed: '
        'FATAL:  password authentication failed for user "gateway-user"',
        'FATAL:  password authentication failed for user "[hidden]"',
    ),
    (
        "connection failed: Multiple connection attempts failed. All failures were:\n"
        "- host: 'db.internal', port: '5433', hostaddr: '10.9.8.7': connection failed: connection "
        'to server at "10.9.8.7", port 5433 failed: Connection refused\n'
        "\tIs the server running on that host and accepting TCP/IP connections?\n"
        "- host: 'db.internal', port: '5433', hostaddr: '10.9.8.8': connection failed: connection "
        'to server at "10.9.8.8", port 5433 failed: timeout expired',
        "timeout expired",
    ),
    (
        "failed to resolve host 'db.internal': [Errno -2] Name or service not known",
        "failed to resolve host '[hidden]': [Errno -2] Name or service not known",
    ),
    (
        'column "weekly" does not exist\nLINE 1: SELECT weekly FROM keys_key\n               ^',
        'column "weekly" does not exist',
    ),
    ("could not open https://gateway-user:hunter2-hunter2@db.internal/x", "could not open"),
]


@pytest.fixture
def on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ENGINE": "django.db.backends.postgresql",
        "PASSWORD": "hunter2-hunter2",
        "HOST": "db.internal",
        "USER": "gateway-user",
        "NAME": "gateway-data",
    }.items():
        monkeypatch.setitem(connections["default"].settings_dict, name, value)


@pytest.mark.parametrize(("said", "shown"), SAID_BY_LIBPQ, ids=lambda value: str(value)[-30:])
def test_the_servers_own_words_are_told_without_where_it_is(
    on_postgresql: None, said: str, shown: str
) -> None:
    error = OperationalError(said)
    assert public_words(error).startswith(shown)
    for text in (public_words(error), engine_words(error)):
        assert "hunter2" not in text and "\n" not in text
    for secret in ("10.9.8", "5433", "db.internal", "gateway-user", "/run"):
        assert secret not in public_words(error)
    assert shown.split()[-1].strip('"[]')[:7] in engine_words(error) or "hidden" in shown


def test_an_error_without_words_is_its_class() -> None:
    assert engine_words(InterfaceError()) == public_words(InterfaceError()) == "InterfaceError"


def test_what_is_no_error_of_the_database_is_its_class_alone() -> None:
    error = ValueError("a prompt of somebody's")
    assert engine_words(error) == public_words(error) == "ValueError"


def test_a_value_that_is_refused_is_no_outage() -> None:
    assert is_outage(OperationalError()) and is_outage(ProgrammingError())
    assert not is_outage(DataError()) and not is_outage(ValueError()) and not is_outage(None)


def test_an_outage_is_found_behind_what_was_raised_for_it() -> None:
    outage = OperationalError("gone")
    try:
        try:
            raise outage
        except OperationalError:
            raise KeyError("session") from None
    except KeyError as error:
        assert outage_behind(error) is outage
    assert outage_behind(KeyError("session")) is None


# --- SQLite's file ----------------------------------------------------------------------------

UNABLE = "unable to open database file"
UID = 10001


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter; pytest's own are for one account."""
    with tempfile.TemporaryDirectory(prefix="storage-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


def as_somebody(work: Callable[[], str]) -> str:
    """What a function returns to a user who is not root, and owns nothing where the tests do."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setresuid(UID, UID, UID)
        os.write(write, work().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        return answer.read()


def try_to_write(path: Path) -> str:
    """SQLite's words, and why."""
    try:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE IF NOT EXISTS t (a)")
            database.execute("INSERT INTO t VALUES (1)")
    except sqlite3.OperationalError as error:
        return why_unusable(path, str(error)) or f"not explained: {error}"
    return "no failure"


def test_a_folder_that_may_not_be_written_in_is_told_with_path_and_uid(folder: Path) -> None:
    folder.chmod(0o555)
    said = as_somebody(lambda: try_to_write(folder / "gw.sqlite3"))
    who = UID if os.geteuid() == 0 else os.geteuid()
    assert said.startswith(f"{folder / 'gw.sqlite3'} cannot be used by uid {who}: ")
    assert f"may not write in the folder {folder} (of uid {os.geteuid()}, mode 555)" in said


def test_a_folder_that_may_not_be_entered_is_told(folder: Path) -> None:
    folder.chmod(0o600)
    said = as_somebody(lambda: try_to_write(folder / "in" / "gw.sqlite3"))
    assert f"may not enter the folder {folder}" in said


def test_a_file_that_may_not_be_written_is_told(folder: Path) -> None:
    path = folder / "gw.sqlite3"
    assert try_to_write(path) == "no failure"
    path.chmod(0o444)
    folder.chmod(0o777)
    assert f"may not write {path} " in as_somebody(lambda: try_to_write(path))


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none" / "gw.sqlite3"
    assert why_unusable(path, UNABLE).endswith(f"the folder {tmp_path / 'none'} does not exist")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    assert why_unusable(tmp_path, UNABLE).endswith("it is a folder")


def test_what_is_about_no_file_is_left_as_sqlite_said_it(tmp_path: Path) -> None:
    path = tmp_path / "gw.sqlite3"
    assert why_unusable(path, "no such column: weekly") == ""
    assert why_unusable(path, UNABLE) == ""
    assert engine_words(OperationalError("database or disk is full")) == "database or disk is full"
