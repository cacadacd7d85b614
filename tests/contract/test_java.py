"""A JDK's HttpClient, which Spring and LangChain4j use: it offers HTTP/2 with its requests."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI


def test_the_jdks_client_chats_streams_and_keeps_its_connection(
    gateway: GatewayProcess, key: str
) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("java is not installed")
    fast = ["-XX:TieredStopAtLevel=1"]
    source = Path(__file__).with_name("Client.java")
    result = subprocess.run(
        [java, *fast, str(source), gateway.url, key, OPENAI],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.splitlines() == [
        *["whole 200 HTTP_1_1 true"] * 3,
        "streamed 200 data: [DONE] true",
        "models 200 true",
        "at once [200]",
    ], result.stdout + result.stderr
    assert "WebSocket library" not in gateway.log
