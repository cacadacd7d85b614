"""The file of settings is read as people and programs write it, and what cannot be read is told."""

from pathlib import Path

import pytest

from tests.test_settings import run


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("PORT=1111\nHOST=192.0.2.1\n")
    show = "from proxysite import settings as s; print(s.PORT, s.HOST)"
    result = run("-c", show, ENV_FILE=str(file), PORT="2222")
    assert result.stdout.split() == ["2222", "192.0.2.1"]


@pytest.mark.parametrize(
    ("lines", "host"),
    [
        ("\ufeffHOST=192.0.2.1\r\nPORT=1111\r\n", "192.0.2.1"),
        ("export HOST = 192.0.2.1  # this one\nPORT=1111 # all\n", "192.0.2.1"),
        ("# HOST=nobody\n\nHOST='192.0.2.1' # this one\n  PORT = \"1111\"#all\n", "192.0.2.1"),
        ("HOST= # as it comes\nPORT=1111\n", "127.0.0.1"),
    ],
    ids=["Windows", "a shell", "quotes", "nothing"],
)
def test_the_file_is_read_as_people_write_it(tmp_path: Path, lines: str, host: str) -> None:
    file = tmp_path / "env"
    file.write_text(lines + "OIDC_NAME=Team#1\nPROXY_API_KEY='a # b\"'\n", newline="")
    show = (
        "from proxysite import settings as s; print(s.PORT, s.HOST, s.OIDC_NAME, s.PROXY_API_KEY)"
    )
    result = run("-c", show, ENV_FILE=str(file))
    assert result.stdout.strip() == f'1111 {host} Team#1 a # b"', result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PORT=1111\nSECRET_KEY: hunter2\n", "Line 2 of "),
        (b"PORT=1111\nSECRET_KEY\n", "Line 2 of "),
        (b"SECRET_KEY=h\xfcnter2\n", "no UTF-8"),
        (None, "No such file"),
        ("folder", "Is a directory"),
    ],
    ids=["yaml", "no value", "Latin-1", "missing", "a folder, as docker makes"],
)
def test_a_file_that_cannot_be_read_is_one_line_without_what_it_holds(
    tmp_path: Path, content: bytes | str | None, says: str
) -> None:
    file = tmp_path / "env"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        file.mkdir()
    for start in (("manage.py", "check"), ("-m", "proxysite.run")):
        result = run(*start, ENV_FILE=str(file))
        assert result.returncode == 1
        assert says in result.stderr and str(file) in result.stderr
        assert result.stderr.count("\n") == 1 and "nter2" not in result.stderr
