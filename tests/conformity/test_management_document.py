"""schemathesis runs the management API's own document against it, and finds nothing."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conformity.test_document import SEED
from tests.gateway import GatewayProcess
from tests.management_api.api_client import new_token
from tests.needs import program

SECONDS = 20
# What a document cannot say: names that are taken, limits that are narrower than others.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)


@pytest.mark.conformity
def test_nothing_departs_from_the_document_of_the_management_api(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    token = gateway.database(lambda: new_token(requests_per_minute=100_000)[1])
    document = tmp_path / "openapi.json"
    served = httpx.get(gateway.url + "/api/schema/", timeout=20).json()
    document.write_text(json.dumps(served))
    words = [program("schemathesis"), "run", str(document), "--url", f"{gateway.url}/api"]
    words += ["--header", f"Authorization: Bearer {token}", "--checks", CHECKS]
    words += ["--max-time", str(SECONDS), "--seed", SEED, "--request-timeout", "30"]
    words += ["--phases", "examples,coverage,fuzzing", "--no-color"]
    run = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=3 * SECONDS + 60, check=False
    )
    told = "\n".join(line[:1000] for line in run.stdout.splitlines())
    print(told)
    assert run.returncode == 0, told
