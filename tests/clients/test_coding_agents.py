"""Coding agents, unmodified, with the settings that docs/clients.md and members' pages show: each
asks an MCP server where it can, reads a file, mends it and says so."""

import json
from pathlib import Path

import httpx
import pytest

from keys.snippet import Model, Target
from tests.clients.programs import MCP_SERVER, MENDED, Place, decide, installed, snippet
from tests.gateway import GatewayProcess
from tests.openai_api.chats import REASONING, SGLANG, VLLM
from workers_ai.simulator.serve import RunningSimulator

pytestmark = pytest.mark.clients

SAID = "It adds now."
PARIS = {"city": "Paris"}
HEARD = "Sunny in Paris, says the server."
# A model of each way in which upstream sends tool calls.
DIALECTS = [VLLM, SGLANG, REASONING]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def target(gateway: GatewayProcess) -> Target:
    """Each test's key is its own, so that its rows are."""
    return Target(gateway.url, gateway.issue_key("agent"))


def with_model(target: Target, name: str) -> Target:
    return Target(target.origin, target.key, agent_model=Model(name, 128_000))


def assert_served(gateway: GatewayProcess, place: Place) -> None:
    """The file is mended, and the gateway refused nothing on the way."""
    assert place.file.read_text() == MENDED
    rows = gateway.rows()
    assert {row.status for row in rows} == {200}, [(row.status, row.error_code) for row in rows]


def reached_upstream(upstream: RunningSimulator, text: str) -> bool:
    """Whether a tool's result was passed on to the model."""
    return any(
        text in json.dumps(message.get("content"))
        for record in upstream.requests
        for message in (record.body or {}).get("messages", [])
        if message.get("role") == "tool"
    )


@pytest.mark.parametrize("model", DIALECTS)
def test_claude_code(
    place: Place, target: Target, model: str, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    claude = installed("claude")
    place.follow(snippet("Claude Code", with_model(target, model)))
    weather = {"type": "stdio", "command": MCP_SERVER[0], "args": MCP_SERVER[1:]}
    place.change_json(".claude.json", {"mcpServers": {"weather": weather}})
    file = str(place.file)
    prompt = decide(
        {"Read": {"file_path": file}},
        {"Edit": {"file_path": file, "old_string": "a - b", "new_string": "a + b"}},
        {"ToolSearch": {"query": "select:mcp__weather__get_weather"}},
        {"mcp__weather__get_weather": PARIS},
        SAID,
    )
    allowed = "Read,Edit,mcp__weather__get_weather"
    told = place.run(
        claude, "-p", prompt, "--output-format", "json", "--allowedTools", allowed,
    )  # fmt: skip
    answer = json.loads(told)
    assert (answer["result"], answer["is_error"]) == (SAID, False)
    assert answer["modelUsage"][model]["contextWindow"] == 128_000
    assert reached_upstream(upstream, HEARD)
    assert_served(gateway, place)


def test_claude_code_is_offered_aliases(
    place: Place, target: Target, gateway: GatewayProcess
) -> None:
    claude = installed("claude")
    gateway.manage("alias_model", "claude-gpt-oss", VLLM)
    models = {"authorization": f"Bearer {target.key}", "anthropic-version": "2023-06-01"}
    gateway.wait_until(
        lambda: "claude-gpt-oss" in httpx.get(f"{gateway.url}/v1/models", headers=models).text,
        "the alias is listed",
    )
    place.follow(snippet("Claude Code", with_model(target, "claude-gpt-oss")))
    told = json.loads(place.run(claude, "-p", decide(SAID), "--output-format", "json"))
    assert told["result"] == SAID
    assert told["modelUsage"]["claude-gpt-oss"]["contextWindow"] == 128_000
    cache = place.home / ".claude" / "cache" / "gateway-models.json"
    [offered] = json.loads(cache.read_text())["models"]
    assert offered["id"] == "claude-gpt-oss"
    assert offered["display_name"] == "claude-gpt-oss (gpt-oss-120b)"


def test_claude_code_says_at_once_that_its_key_is_wrong(place: Place, target: Target) -> None:
    """It would ask again for three minutes, longer than the bound of a turn."""
    claude = installed("claude")
    wrong = Target(target.origin, "sk-wai-wrong")
    place.follow(snippet("Claude Code", with_model(wrong, VLLM)))
    told = place.run(claude, "-p", "Hello", ends_well=False)
    assert "Incorrect API key provided: it is not a key of this gateway." in told


@pytest.mark.parametrize("model", DIALECTS)
def test_codex(
    place: Place, target: Target, model: str, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    codex = installed("codex")
    place.follow(snippet("Codex", with_model(target, model)))
    command, *words = (json.dumps(word) for word in MCP_SERVER)
    with (place.home / ".codex" / "config.toml").open("a") as config:
        config.write(f"[mcp_servers.weather]\ncommand = {command}\nargs = [{', '.join(words)}]\n")
    patch = (
        "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: calc.py\n@@\n"
        "-    return a - b\n+    return a + b\n*** End Patch\nEOF"
    )
    prompt = decide(
        {"exec_command": {"cmd": "cat calc.py"}},
        {"exec_command": {"cmd": patch}},
        {"mcp__weather__get_weather": PARIS},
        SAID,
    )
    last = place.folder / "said"
    place.run(
        codex, "exec", "--dangerously-bypass-approvals-and-sandbox", "-o", str(last), stdin=prompt
    )
    assert last.read_text() == SAID
    assert reached_upstream(upstream, HEARD)
    assert_served(gateway, place)


def test_opencode(
    place: Place, target: Target, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    opencode = installed("opencode")
    place.follow(snippet("opencode", target))
    weather = {"type": "local", "command": MCP_SERVER}
    place.change_json(".config/opencode/opencode.json", {"mcp": {"weather": weather}})
    file = str(place.file)
    prompt = decide(
        {"read": {"filePath": file}},
        {"edit": {"filePath": file, "oldString": "a - b", "newString": "a + b"}},
        {"weather_get_weather": PARIS},
        SAID,
    )
    told = place.run(opencode, "run", stdin=prompt, OPENCODE_DISABLE_MODELS_FETCH="1")
    assert SAID in told
    assert reached_upstream(upstream, HEARD)
    assert_served(gateway, place)


def test_aider(place: Place, target: Target, gateway: GatewayProcess) -> None:
    aider = installed("aider")
    place.follow(snippet("aider", target))
    block = "<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE"
    prompt = decide(f"{SAID}\n\ncalc.py\n```python\n{block}\n```\n")
    told = place.run(
        aider, "--yes-always", "--no-check-update", "--analytics-disable", "--no-auto-lint",
        "--message", prompt, "calc.py", LITELLM_LOCAL_MODEL_COST_MAP="True",
    )  # fmt: skip
    assert SAID in told
    assert "context window size" not in told
    assert_served(gateway, place)


def test_pi(place: Place, target: Target, gateway: GatewayProcess) -> None:
    pi = installed("pi")
    place.follow(snippet("pi", target))
    prompt = decide(
        {"read": {"path": "calc.py"}},
        {"edit": {"path": "calc.py", "edits": [{"oldText": "a - b", "newText": "a + b"}]}},
        SAID,
    )
    assert SAID in place.run(pi, "--offline", "--print", prompt)
    assert_served(gateway, place)


def test_qwen_code(place: Place, target: Target, gateway: GatewayProcess) -> None:
    qwen = installed("qwen")
    place.follow(snippet("qwen-code", target))
    file = str(place.file)
    prompt = decide(
        {"read_file": {"file_path": file}},
        {"edit": {"file_path": file, "old_string": "a - b", "new_string": "a + b"}},
        SAID,
    )
    assert SAID in place.run(qwen, "--approval-mode", "yolo", "--prompt", prompt)
    assert_served(gateway, place)
