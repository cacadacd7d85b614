"""schemathesis runs the gateway's own document against it, and finds nothing."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conformity.pinned import pinned
from tests.gateway import GatewayProcess
from tests.needs import program

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 35
SEED = "20261127"


@pytest.mark.conformity
def test_nothing_departs_from_the_document(gateway: GatewayProcess, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    served = httpx.get(gateway.url + "/v1/openapi.json", timeout=20).json()
    document.write_text(json.dumps(pinned(served)))
    words = [program("schemathesis"), "--config-file", str(CONFIG), "run", str(document)]
    # A rate of its own, as reading without one ends at 600 a minute, which it goes beyond.
    key = gateway.issue_key(requests_per_minute=100_000)
    words += ["--url", gateway.url, "--header", f"Authorization: Bearer {key}"]
    words += ["--max-time", str(SECONDS), "--seed", SEED]
    words += ["--phases", "examples,coverage,fuzzing"]
    run = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=3 * SECONDS + 60, check=False
    )
    # Requests may be long.
    told = "\n".join(line[:1000] for line in run.stdout.splitlines())
    print(told)
    assert run.returncode == 0, told
