"""`make test` says what it found here and nothing of the machine's: not a gateway's own settings,
not what another machine has.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.checkout import copy_checkout
from tests.needs import ROOT


def pytest_in(folder: Path, *words: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def test_what_make_run_left_in_the_checkout_is_not_the_tests(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    copy_checkout(folder, without=["docs"])
    (folder / "var").mkdir()
    (folder / "var" / "secret.env").write_text("SECRET_KEY=" + "a1B2c3D4" * 7)
    (folder / "var" / "simulator.env").write_text("CLOUDFLARE_API_BASE_URL=http://127.0.0.1:2")
    (folder / "var" / "gateway.sqlite3").write_text("not for tests")
    (folder / ".env").write_text("PORT=1111\nDEBUG=on\nLOG_FORMAT=json\nREDIS_URL=redis://nowhere")
    pytest_in(
        folder,
        "tests/test_settings.py::test_usual_values_are_taken",
        "tests/test_settings.py::test_deployment_checks_are_clean_with_production_settings",
        "tests/proxysite/test_checks.py",
        # A developer's shell has settings too.
        WEB_CONCURRENCY="3",
        MAX_IMAGE_COUNT="2",
        ENV_FILE=str(folder / ".env"),
    )
    assert (folder / "var" / "gateway.sqlite3").read_text() == "not for tests"


def test_what_a_machine_lacks_is_one_line_at_the_end() -> None:
    nginxs = "tests/test_compose.py::test_a_body_that_is_too_large_is_refused_in_the_callers_words"
    said = pytest_in(ROOT, nginxs, PATH="/nonexistent", CI="")
    assert "Not run here, 1 test: nginx is not installed (1)." in said.splitlines()[-2]
    assert said.count("nginx") == 1
