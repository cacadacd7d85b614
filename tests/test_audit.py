"""`make audit`: what it makes of pip-audit's report."""

import json
import subprocess
from typing import Any

import pytest

from tests.needs import ROOT


def audit(report: str) -> tuple[int, str]:
    result = subprocess.run(
        [ROOT / ".ci" / "audit"], input=report, capture_output=True, text=True, timeout=60
    )
    assert not result.stderr
    return result.returncode, result.stdout


def report(*holes: dict[str, Any]) -> str:
    package = {"name": "a", "version": "1", "vulns": holes}
    return json.dumps({"dependencies": [package], "fixes": []})


def test_a_hole_that_a_release_mends_fails() -> None:
    status, told = audit(report({"id": "CVE-2026-1", "fix_versions": ["1.0.1", "2.0"]}))
    assert status == 1
    assert "a 1: CVE-2026-1, mended in 1.0.1, 2.0" in told


def test_a_hole_that_nobody_has_mended_is_told() -> None:
    status, told = audit(report({"id": "CVE-2026-2", "fix_versions": []}))
    assert status == 0
    assert "a 1: CVE-2026-2, not mended yet" in told


@pytest.mark.parametrize("nothing", ["", "connection refused"])
def test_a_service_that_does_not_answer_fails_nothing(nothing: str) -> None:
    status, told = audit(nothing)
    assert status == 0
    assert "could not be asked" in told
