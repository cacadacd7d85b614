"""SDKs and agents' libraries, unmodified: a tool is called and answered, whole and streamed."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import INSTALLED, Place, decide, installed
from tests.gateway import GatewayProcess
from tests.needs import program
from tests.openai_api.chats import OPENAI, REASONING, VLLM

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
HEARD = "Here is what I found: Sunny in Paris"
ROUNDS_S = 100.0

AGENTS = {"text": HEARD, "again": "goodbye", "requests": 2}
PYDANTIC = {"text": HEARD, "again": "goodbye", "bird": "Bird"}
RUNNER = {"text": HEARD, "stop": "end_turn"}
OF_PYTHON = {
    f"agents-responses:{VLLM}": AGENTS,
    f"agents-responses:{OPENAI}": AGENTS,
    f"agents-responses-stream:{VLLM}": AGENTS,
    f"agents-responses-stream:{OPENAI}": AGENTS,
    f"agents-chat:{VLLM}": AGENTS,
    f"agents-chat-stream:{OPENAI}": AGENTS,
    f"pydantic-responses:{VLLM}": PYDANTIC,
    f"pydantic-responses-stream:{VLLM}": PYDANTIC,
    f"pydantic-chat:{VLLM}": PYDANTIC,
    f"pydantic-chat-stream:{OPENAI}": PYDANTIC,
    f"pydantic-messages:{VLLM}": PYDANTIC,
    f"pydantic-messages-stream:{REASONING}": PYDANTIC,
    f"anthropic-whole:{VLLM}": RUNNER,
    f"anthropic-stream:{REASONING}": RUNNER,
    "cohere:@cf/baai/bge-reranker-base": {"results": 1, "score": True, "old": 1},
}
VERCEL = {"text": HEARD, "again": "goodbye", "steps": 2}
OF_NODE = {
    f"vercel-whole:{VLLM}": VERCEL,
    f"vercel-whole:{OPENAI}": VERCEL,
    f"vercel-stream:{REASONING}": {**VERCEL, "errors": []},
    f"vercel-stream:{OPENAI}": {**VERCEL, "errors": []},
    f"anthropic-whole:{VLLM}": RUNNER,
    f"anthropic-stream:{REASONING}": RUNNER,
    f"agents-responses:{VLLM}": {"text": HEARD, "again": "goodbye"},
    f"agents-chat:{OPENAI}": {"text": HEARD, "again": "goodbye"},
}


def run(gateway: GatewayProcess, words: list[str], cases: list[str]) -> Any:
    """What a script printed of its cases. One process, as starting it takes longest."""
    done = subprocess.run(
        [*words, gateway.url, gateway.issue_key("sdk"), *cases],
        env={"PATH": os.environ["PATH"], "NODE_NO_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=ROUNDS_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def python_script(name: str) -> list[str]:
    if not (INSTALLED / "sdks" / ".installed").exists():
        pytest.skip("Python's SDKs are not installed: see what `make clients` printed")
    return [str(INSTALLED / "sdks" / "bin" / "python"), "-I", str(HERE / "sdks" / name)]


def test_sdks_of_python(gateway: GatewayProcess) -> None:
    assert run(gateway, python_script("rounds.py"), list(OF_PYTHON)) == OF_PYTHON


def test_responses_are_valid_by_open_responses(gateway: GatewayProcess) -> None:
    told = run(gateway, python_script("open_responses.py"), [VLLM, OPENAI, REASONING])
    assert told["wrong"] == []
    assert told["valid"] > 500


def test_sdks_of_node(gateway: GatewayProcess) -> None:
    node = program("node")
    folder = INSTALLED / "node"
    if not (folder / ".installed").exists():
        pytest.skip("Node's SDKs are not installed: see what `make clients` printed")
    # Node looks for packages beside the script.
    script = shutil.copy(HERE / "node" / "rounds.mjs", folder)
    assert run(gateway, [node, script], list(OF_NODE)) == OF_NODE


def test_mistral_vibe_with_responses(gateway: GatewayProcess, tmp_path: Path) -> None:
    vibe = installed("vibe")
    place = Place(tmp_path)
    place.environment["WORKERS_AI_KEY"] = gateway.issue_key("vibe")
    config = place.home / ".vibe" / "config.toml"
    config.parent.mkdir()
    config.write_text(
        'active_model = "gpt"\nenable_telemetry = false\nenable_update_checks = false\n'
        f'[[providers]]\nname = "workers-ai"\napi_base = "{gateway.url}/v1"\n'
        'api_key_env_var = "WORKERS_AI_KEY"\napi_style = "openai-responses"\nbackend = "generic"\n'
        f'[[models]]\nname = "{VLLM}"\nprovider = "workers-ai"\nalias = "gpt"\n'
    )
    prompt = decide({"read_file": {"path": "calc.py"}}, "It reads well.")
    told = place.run(vibe, "--prompt", prompt, "--auto-approve", "--trust")
    assert "It reads well." in told
    assert {row.status for row in gateway.rows(key_name="vibe")} == {200}
