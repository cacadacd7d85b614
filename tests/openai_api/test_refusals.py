"""What Workers AI refuses, as its users met it: in three dialects, whole and streamed.

The failures are the simulator's, in upstream's own words and shapes.
"""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.gateway import GatewayProcess
from workers_ai.simulator.serve import RunningSimulator

# Of no other test: the gateway remembers what it refused.
MODEL = "@cf/moonshotai/kimi-k2.5"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_weather", "description": "", "parameters": SCHEMA}


def chat(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
    if more.get("schema"):
        envelope = {"name": "answer", "schema": SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": envelope}
    if more.get("limit"):
        body["max_tokens"] = more["limit"]
    return "/chat/completions", body


def responses(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"input": text}
    if more.get("schema"):
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
    if more.get("limit"):
        body["max_output_tokens"] = more["limit"]
    return "/responses", body


def messages(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    limit = more.get("limit") or 32_000
    body: dict[str, Any] = {"max_tokens": limit, "messages": [{"role": "user", "content": text}]}
    if more.get("schema"):
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return "/messages", body


Dialect = Callable[..., tuple[str, dict[str, Any]]]
DIALECTS: list[Dialect] = [chat, responses, messages]


def each(function: Any) -> Any:
    both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
    return pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.__name__)(
        both(function)
    )


def ask(
    client: httpx.Client, dialect: Dialect, text: str, *, stream: bool, **more: Any
) -> httpx.Response:
    path, body = dialect(text, **more)
    return client.post(path, json={**body, "model": MODEL, "stream": stream})


def failure_of(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    error: dict[str, Any] = body["error"]
    assert error["message"]
    assert "answered with HTTP status" not in error["message"]
    return error


def simulated(shape: str, code: int, status: int, message: str) -> str:
    return f'Hi [simulate failure shape={shape} code={code} status={status} message="{message}"]'


def runs(upstream: RunningSimulator) -> list[dict[str, Any]]:
    return [request.body for request in upstream.requests]


USED_UP = "you have used up your daily free allocation of 10,000 neurons, please upgrade"
SPEND = "Spend limit exceeded: rule r1 (cost limit 100 per 604800s, sliding)"


@each
@pytest.mark.parametrize("shape", ["flat", "envelope", "list", "nested"])
def test_a_used_up_allocation_is_final(
    client: httpx.Client, upstream: RunningSimulator, dialect: Dialect, stream: bool, shape: str
) -> None:
    response = ask(client, dialect, simulated(shape, 4006, 429, USED_UP), stream=stream)
    assert response.status_code == 429
    failure_of(response)
    assert response.headers["x-should-retry"] == "false"
    assert int(response.headers["retry-after"]) >= 1
    assert len(upstream.requests) == 1


@each
@pytest.mark.parametrize("shape", ["list", "policy"])
def test_a_spend_limit_is_final_and_told(
    gateway: GatewayProcess,
    client: httpx.Client,
    upstream: RunningSimulator,
    dialect: Dialect,
    stream: bool,
    shape: str,
) -> None:
    response = ask(client, dialect, simulated(shape, 2041, 429, SPEND), stream=stream)
    assert response.status_code == 429
    assert "Spend limit exceeded" in failure_of(response)["message"]
    assert response.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.__name__)
def test_a_spend_limit_says_when_its_window_ends(client: httpx.Client, dialect: Dialect) -> None:
    words = "Spending limit exceeded, resets in 2 hours"
    response = ask(client, dialect, simulated("policy", 0, 429, words), stream=False)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7200"
    assert response.headers["x-should-retry"] == "false"


@each
@pytest.mark.parametrize("shape", ["flat", "bare", "nested", "openai", "text"])
def test_words_about_the_request_are_kept(
    client: httpx.Client, dialect: Dialect, stream: bool, shape: str
) -> None:
    words = "Type mismatch of '/messages/2/content', 'array' not in 'string'"
    response = ask(client, dialect, simulated(shape, 5006, 400, words), stream=stream)
    assert response.status_code == 400
    assert words in failure_of(response)["message"]


@each
def test_a_403_about_the_request_alarms_nobody(
    gateway: GatewayProcess, client: httpx.Client, dialect: Dialect, stream: bool
) -> None:
    words = "AiError: The schema is not one that this model can follow"
    response = ask(client, dialect, simulated("envelope", 5999, 403, words), stream=stream)
    assert response.status_code == 400
    assert "upstream_misconfigured" not in response.text
    assert "AccountFault" not in gateway.log[-4000:]


@each
def test_a_missed_schema_gets_another_try(
    client: httpx.Client, upstream: RunningSimulator, dialect: Dialect, stream: bool
) -> None:
    text = "Where? [simulate json-model-403]"
    response = ask(client, dialect, text, stream=stream, schema=True)
    assert response.status_code == 200, response.text
    assert len(upstream.requests) >= 2


@each
def test_a_header_that_the_model_garbled_gets_another_try(
    client: httpx.Client, dialect: Dialect, stream: bool
) -> None:
    response = ask(client, dialect, "Hi [simulate lost-header]", stream=stream)
    assert response.status_code == 200, response.text


@each
@pytest.mark.parametrize("form", ["vllm", "sglang", "cloudflare"])
def test_a_limit_of_the_gateways_own_never_makes_a_prompt_too_long(
    client: httpx.Client, upstream: RunningSimulator, dialect: Dialect, stream: bool, form: str
) -> None:
    text = f"{'字' * 2000} [simulate window tokens=3000 form={form}]"
    response = ask(client, dialect, text, stream=stream)
    assert response.status_code == 200, response.text
    limits = [
        body.get("max_tokens") or body.get("max_completion_tokens") for body in runs(upstream)
    ]
    assert limits[-1] <= 1000


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.__name__)
def test_a_prompt_that_fills_the_window_is_too_long_with_its_numbers(
    client: httpx.Client, dialect: Dialect
) -> None:
    text = f"{'字' * 4000} [simulate window tokens=3000]"
    response = ask(client, dialect, text, stream=False, limit=100)
    assert response.status_code == 400
    message = failure_of(response)["message"]
    assert "3000" in message
    if dialect is messages:
        assert re.match(r"prompt is too long: \d+ tokens > 3000 maximum", message)
    else:
        assert message.startswith("This model's maximum context length is 3000 tokens.")


@each
def test_a_ceiling_of_the_output_is_kept_and_told(
    client: httpx.Client, upstream: RunningSimulator, dialect: Dialect, stream: bool
) -> None:
    text = "Hi [simulate output-ceiling tokens=900]"
    assert ask(client, dialect, text, stream=stream, limit=2000).status_code == 200
    assert runs(upstream)[-1]["max_tokens"] == 900


@each
def test_a_schema_that_cannot_be_streamed_comes_as_a_stream_all_the_same(
    client: httpx.Client, upstream: RunningSimulator, dialect: Dialect, stream: bool
) -> None:
    text = "Where? [simulate no-schema-stream]"
    response = ask(client, dialect, text, stream=stream, schema=True)
    assert response.status_code == 200, response.text
    assert not runs(upstream)[-1].get("stream")


@pytest.mark.parametrize("stream", [False, True])
def test_json_mode_by_a_schema_only(
    client: httpx.Client, upstream: RunningSimulator, stream: bool
) -> None:
    path, body = chat("Answer in JSON. [simulate no-json-object]")
    body |= {"response_format": {"type": "json_object"}, "model": MODEL, "stream": stream}
    assert client.post(path, json=body).status_code == 200
    assert runs(upstream)[-1]["response_format"]["type"] == "json_schema"


CALLS = [
    {"id": f"c{n}", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    for n in (1, 2)
]
ROUND = [
    {"role": "user", "content": "Weather in Oslo and Rome? [simulate one-call]"},
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "c2", "content": "rain"},
]


def test_parallel_calls_become_turns_where_the_template_wants_it(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    body = {"model": MODEL, "messages": ROUND, "tools": [{"type": "function", "function": TOOL}]}
    response = client.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    roles = [message["role"] for message in runs(upstream)[-1]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "tool"]


@pytest.mark.parametrize("scenario", ["system-first", "no-system", "alternating"])
def test_instructions_come_where_the_template_wants_them(
    client: httpx.Client, scenario: str
) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": f"Hi [simulate {scenario}]"},
        {"role": "user", "content": "Hello?"},
    ]
    if scenario == "system-first":
        said.insert(3, {"role": "developer", "content": "Be quick."})
    response = client.post("/chat/completions", json={"model": MODEL, "messages": said})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "arguments", ['{"city": "Os', '{"city": "Oslo"}{"city": "Rome"}', "[]", "null", '"Oslo"', ""]
)
def test_arguments_that_were_no_object_do_not_end_a_conversation(
    client: httpx.Client, arguments: str
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    }
    said = [
        {"role": "user", "content": "Weather? [simulate object-arguments]"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "invalid arguments"},
    ]
    body = {"model": MODEL, "messages": said, "tools": [{"type": "function", "function": TOOL}]}
    response = client.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text


def test_an_unknown_optional_field_is_left_out(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    path, body = chat("Hi [simulate unknown-field field=top_k]")
    response = client.post(path, json={**body, "model": MODEL, "top_k": 5})
    assert response.status_code == 200, response.text
    assert "top_k" not in runs(upstream)[-1]


MODERATED = "content_policy_violation"


@pytest.mark.parametrize(
    ("code", "status", "words", "expected"),
    [
        (8007, 400, "AiError: Input prompt contains NSFW content.", "content_policy_violation"),
        (
            3030,
            400,
            "Your output has been flagged. Choose another prompt",
            "content_policy_violation",
        ),
        (2016, 424, "Prompt blocked due to security configurations", "content_policy_violation"),
        (
            3010,
            400,
            "Invalid or incomplete input for the model: unexpected shape",
            "invalid_request",
        ),
    ],
)
@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/chat/completions", MODEL),
        ("/images/generations", "@cf/black-forest-labs/flux-1-schnell"),
        ("/embeddings", "@cf/baai/bge-m3"),
    ],
)
def test_the_words_decide_on_every_endpoint(
    client: httpx.Client, path: str, model: str, code: int, status: int, words: str, expected: str
) -> None:
    text = simulated("envelope", code, status, words)
    bodies = {
        "/chat/completions": {"messages": [{"role": "user", "content": text}]},
        "/images/generations": {"prompt": text},
        "/embeddings": {"input": text},
    }
    response = client.post(path, json={"model": model, **bodies[path]})
    assert response.status_code == 400
    error = failure_of(response)
    assert error["code"] == expected
    assert words.removeprefix("AiError: ") in error["message"]
