"""Requests that are wrong: each gets an answer in OpenAI's form that says what is wrong."""

import json
import socket
from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, WEATHER_TOOL, chat_body, new_id, post
from workers_ai.simulator.serve import RunningSimulator

CHAT = "/chat/completions"
IMAGES = "/images/generations"
EMBEDDINGS = "/embeddings"
POSTS = [CHAT, IMAGES, EMBEDDINGS, "/completions", "/moderations", "/rerank"]


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("responses/compact", "'truncation' to 'auto'"),
        ("responses/resp_1/cancel", "'store' set to false"),
        ("files/file-1/content", "Send the data itself"),
        ("conversations", "Send the earlier messages"),
        ("messages/batches", "Send requests one by one"),
        ("images/variations", "/v1/images/edits"),
    ],
)
def test_what_openai_has_and_the_gateway_has_not_says_what_does_instead(
    gateway: GatewayProcess, path: str, cure: str
) -> None:
    response = httpx.post(f"{gateway.url}/v1/{path}", json={})
    assert response.status_code == 404
    message = response.json()["error"]["message"]
    assert cure in message
    assert f"/v1/{path}" in message


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/v1/chat", "/v1/chat/completions/more"])
def test_an_unknown_path_is_404_for_every_method(
    gateway: GatewayProcess, method: str, path: str
) -> None:
    response = httpx.request(method, gateway.url + path)
    assert_openai_error(response, 404, code="unknown_url")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("HEAD", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("PUT", IMAGES, "POST"),
        ("POST", "/models", "GET, HEAD"),
        ("DELETE", f"/models/{OPENAI}", "GET, HEAD"),
        ("PATCH", "/key", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_is_right(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert response.headers["allow"] == allowed
    if method == "HEAD":
        assert response.status_code == 405
        assert response.content == b""
    else:
        assert_openai_error(response, 405, code="method_not_supported", says=allowed)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"hello",
        b'{"model": "x",}',
        b'{"model": NaN}',
        b'{"model": Infinity}',
        b'{"model": 1e999}',
        b'{"model": "\xff\xfe"}',
        b'{"model": "\\ud800"}',
        b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'\xef\xbb\xbf{"model": }',
    ],
)
def test_a_body_that_is_no_json_is_400(client: httpx.Client, path: str, body: bytes) -> None:
    response = client.post(path, content=body)
    assert_openai_error(response, 400, code="invalid_json")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"text"', b"true"])
def test_a_body_that_is_no_object_is_400(client: httpx.Client, path: str, body: bytes) -> None:
    assert_openai_error(client.post(path, content=body), 400, code="invalid_json", says="object")


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [150, 260, 500, 900])
@pytest.mark.parametrize("model", [LEGACY, OPENAI, "@cf/openai/gpt-oss-20b"])
def test_deep_nesting_is_no_fault_of_the_gateway(
    client: httpx.Client, model: str, depth: int
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": nested(depth)}}
    body = chat_body(model=model, tools=[tool], made_up=nested(depth))
    assert post(client, body).status_code in (200, 400)


def test_a_form_instead_of_json_says_what_to_send(client: httpx.Client) -> None:
    response = client.post(CHAT, files={"file": b"x"}, data={"model": OPENAI})
    assert response.status_code in (400, 415)
    assert_openai_error(response, response.status_code, says="JSON")


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("model", 3, "model"),
        ("model", None, "model"),
        ("model", "", "model"),
        ("messages", None, "messages"),
        ("messages", "hello", "messages"),
        ("messages", {}, "messages"),
        ("messages", [], "messages"),
        ("messages", ["hello"], "messages[0]"),
        ("messages", [{}], "messages[0].role"),
        ("messages", [{"role": "wizard", "content": "x"}], "messages[0].role"),
        ("messages", [{"role": ["user"], "content": "x"}], "messages[0].role"),
        ("messages", [{"role": "user"}], "messages[0].content"),
        ("messages", [{"role": "user", "content": None}], "messages[0].content"),
        ("messages", [{"role": "user", "content": 5}], "messages[0].content"),
        ("messages", [{"role": "user", "content": {}}], "messages[0].content"),
        ("messages", [{"role": "user", "content": ["x"]}], "messages[0].content[0]"),
        ("messages", [{"role": "user", "content": [{"type": "x"}]}], "messages[0].content[0].type"),
        (
            "messages",
            [{"role": "user", "content": [{"type": "text", "text": 3}]}],
            "messages[0].content[0].text",
        ),
        (
            "messages",
            [{"role": "user", "content": [{"type": "image_url", "image_url": 3}]}],
            "messages[0].content[0].image_url.url",
        ),
        ("messages", [{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ("messages", [{"role": "assistant", "tool_calls": 3}], "messages[0].tool_calls"),
        (
            "messages",
            [{"role": "assistant", "tool_calls": [{}]}],
            "messages[0].tool_calls[0].function",
        ),
        (
            "messages",
            [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 7}}]}],
            "messages[0].tool_calls[0].function.arguments",
        ),
        ("stream", "yes", "stream"),
        ("stream", 1, "stream"),
        ("stream_options", [], "stream_options"),
        ("stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        ("max_tokens", "10", "max_tokens"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
        ("max_tokens", True, "max_tokens"),
        ("max_tokens", 10**30, "max_tokens"),
        ("max_completion_tokens", -1, "max_completion_tokens"),
        ("max_completion_tokens", 10**30, "max_completion_tokens"),
        ("temperature", "hot", "temperature"),
        ("temperature", -1, "temperature"),
        ("temperature", 99, "temperature"),
        ("top_p", 2, "top_p"),
        ("top_k", 1.5, "top_k"),
        ("n", 0, "n"),
        ("n", "2", "n"),
        ("seed", "x", "seed"),
        ("seed", 10**30, "seed"),
        ("seed", -(2**63) - 1, "seed"),
        ("top_k", -(10**30), "top_k"),
        ("stop", 5, "stop"),
        ("stop", [5], "stop[0]"),
        ("presence_penalty", "x", "presence_penalty"),
        ("frequency_penalty", 9, "frequency_penalty"),
        ("logit_bias", [], "logit_bias"),
        ("logprobs", 1, "logprobs"),
        ("top_logprobs", 99, "top_logprobs"),
        ("user", 3, "user"),
        ("metadata", "x", "metadata"),
        ("parallel_tool_calls", "no", "parallel_tool_calls"),
        ("tools", {}, "tools"),
        ("tools", ["x"], "tools[0]"),
        ("tools", [{"type": "odd"}], "tools[0].type"),
        ("tools", [{"type": "function"}], "tools[0].function"),
        ("tools", [{"type": "function", "function": {}}], "tools[0].function.name"),
        (
            "tools",
            [{"type": "function", "function": {"name": "f", "parameters": []}}],
            "tools[0].function.parameters",
        ),
        ("tool_choice", "sometimes", "tool_choice"),
        ("tool_choice", 3, "tool_choice"),
        ("tool_choice", "required", "tool_choice"),
        ("functions", "x", "functions"),
        ("response_format", "json", "response_format"),
        ("response_format", {"type": "xml"}, "response_format.type"),
        ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
        (
            "response_format",
            {"type": "json_schema", "json_schema": []},
            "response_format.json_schema",
        ),
        ("reasoning_effort", 3, "reasoning_effort"),
    ],
)
def test_a_wrong_chat_field_is_named_before_upstream_is_called(
    client: httpx.Client, upstream: RunningSimulator, field: str, value: Any, param: str
) -> None:
    response = post(client, {**chat_body(), field: value})
    assert_openai_error(response, 400, param=param)
    assert not upstream.requests


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "low", "reasoning": {"effort": "wild"}}, "reasoning.effort"),
        ({"reasoning_effort": "low", "thinking": {"type": "deep"}}, "thinking.type"),
        ({"reasoning_effort": "low", "enable_thinking": "no"}, "enable_thinking"),
        ({"tools": [WEATHER_TOOL], "functions": [{"name": 5}]}, "functions[0].name"),
        ({"tools": [WEATHER_TOOL], "function_call": 5}, "function_call"),
        ({"functions": [WEATHER_TOOL["function"]], "tool_choice": 5}, "tool_choice"),
    ],
)
def test_a_wrong_chat_field_is_named_though_another_goes_before_it(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, Any], param: str
) -> None:
    assert_openai_error(post(client, {**chat_body(), **fields}), 400, param=param)
    assert not upstream.requests


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "function_call": {"name": "f", "arguments": 5}},
        {"role": "assistant", "function_call": {"name": 5}},
        {"role": "assistant", "function_call": []},
        {"role": "assistant", "tool_calls": [{"id": 5, "function": {"name": "f"}}]},
        {"role": "assistant", "content": "x", "reasoning_content": 5},
        {"role": "user", "content": [{"type": "input_audio"}]},
        {"role": "user", "content": [{"type": "file", "text": 5}]},
        {"role": "user", "content": [{"type": "refusal", "refusal": 5}]},
        {"role": "user", "content": "x", "name": {}},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "x"}]},
        {"role": "function", "name": "f", "content": None},
    ],
)
@pytest.mark.parametrize("model", [LEGACY, OPENAI, "@cf/openai/gpt-oss-20b"])
def test_an_odd_message_is_no_fault_of_the_gateway(
    client: httpx.Client, model: str, message: Any
) -> None:
    messages = [{"role": "user", "content": "hi"}, message, {"role": "user", "content": "hi"}]
    assert post(client, {"model": model, "messages": messages}).status_code in (200, 400)


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {"a": {"anyOf": 5}}},
        {"properties": {"a": {"type": ["string", "null"]}}},
        {"properties": {"a": 5}},
        {"properties": []},
        {"required": "a"},
        {"type": 5},
        {"properties": {"a": {"oneOf": [5, {"type": 5}]}}},
    ],
)
@pytest.mark.parametrize("model", [OPENAI, "@cf/openai/gpt-oss-20b"])
def test_an_odd_tool_schema_is_no_fault_of_the_gateway(
    client: httpx.Client, model: str, parameters: Any
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    assert post(client, chat_body(model=model, tools=[tool])).status_code in (200, 400)


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("prompt", None, "prompt"),
        ("prompt", 3, "prompt"),
        ("prompt", " ", "prompt"),
        ("model", 3, "model"),
        ("n", 0, "n"),
        ("n", "2", "n"),
        ("n", 10**30, "n"),
        ("batch_size", -1, "batch_size"),
        ("size", 512, "size"),
        ("size", "big", "size"),
        ("size", "0x0", "size"),
        ("size", "512x", "size"),
        ("image_size", "1:1", "image_size"),
        ("response_format", "png", "response_format"),
        ("response_format", 1, "response_format"),
        ("seed", "x", "seed"),
        ("seed", -1, "seed"),
        ("seed", 10**30, "seed"),
        ("steps", 0, "steps"),
        ("steps", 10**30, "steps"),
        ("num_inference_steps", "x", "num_inference_steps"),
        ("guidance", "x", "guidance"),
        ("guidance_scale", -1, "guidance_scale"),
        ("negative_prompt", 1, "negative_prompt"),
        ("quality", 1, "quality"),
        ("user", 1, "user"),
        ("stream", True, "stream"),
    ],
)
def test_a_wrong_image_field_is_named_before_upstream_is_called(
    client: httpx.Client, upstream: RunningSimulator, field: str, value: Any, param: str
) -> None:
    body = {"model": "@cf/leonardo/phoenix-1.0", "prompt": "a cat", field: value}
    response = client.post(IMAGES, json=body)
    assert_openai_error(response, 400, param=param)
    assert not upstream.requests


def test_a_rejected_request_has_a_row_that_cost_nothing(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    post(client, chat_body(temperature="hot"), request_id=request_id)
    row = gateway.row(request_id)
    assert (row.status, row.end_reason, row.cost_nano_usd) == (400, "rejected", 0)


@pytest.mark.parametrize("model", ["gpt-4o", "@cf/meta/llama-9", "x" * 5000, "@cf/", "\u0000"])
def test_an_unknown_model_is_404(client: httpx.Client, model: str) -> None:
    assert_openai_error(
        post(client, chat_body(model=model)), 404, code="model_not_found", param="model"
    )


@pytest.mark.parametrize(
    ("path", "model", "says"),
    [
        (CHAT, "@cf/leonardo/phoenix-1.0", "POST /v1/images/generations"),
        (IMAGES, OPENAI, "POST /v1/chat/completions"),
        (CHAT, "@cf/cloudflare/clef-omni", "typed questions"),
        (CHAT, "@cf/deepgram/flux", ""),
    ],
)
def test_a_model_of_another_endpoint_is_400_that_says_where(
    client: httpx.Client, path: str, model: str, says: str
) -> None:
    response = client.post(path, json={**chat_body(model=model), "prompt": "a cat"})
    assert_openai_error(response, 400, code="model_not_supported", param="model", says=says)


def test_tools_for_a_model_without_tools_are_refused_clearly(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    response = post(client, chat_body(model="@cf/qwen/qwq-32b", tools=[tool]))
    assert_openai_error(response, 400, param="tools")
    assert not upstream.requests


def test_every_answer_to_an_admitted_request_has_the_rate_headers(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    limited = gateway.issue_key(requests_per_minute=100)
    for body in (chat_body(), chat_body(temperature="hot"), chat_body("Hi [simulate error-5006]")):
        response = post(client, body, authorization=f"Bearer {limited}")
        assert response.headers["x-ratelimit-limit-requests"] == "100"
        assert int(response.headers["openai-processing-ms"]) >= 0


# --- Bodies that are too large ----------------------------------------------------------------

LIMIT = 32 * 1024 * 1024


def send_raw(gateway: GatewayProcess, head: str, body: bytes, most: int) -> tuple[bytes, int]:
    """Writes `body` again and again until an answer comes; the answer, and how often it did."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode())
        connection.settimeout(0.02)
        for count in range(most):
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                answer = b""
            connection.settimeout(10)
            if answer:
                return rest_of(answer, connection), count
            connection.sendall(body)
            connection.settimeout(0.005)
        raise AssertionError("no answer came")


def rest_of(answer: bytes, connection: socket.socket) -> bytes:
    """The answer whole, by its content-length."""
    head, _, content = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(content) < length:
        content += connection.recv(65536)
    return head + content


def test_an_announced_body_over_the_limit_is_413_before_it_is_sent(
    gateway: GatewayProcess, key: str
) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"content-length: {LIMIT + 1}\r\n\r\n"
    )
    answer, sent = send_raw(gateway, head, b"x", 100)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"request_too_large"' in answer
    assert sent < 100


def test_a_chunked_body_over_the_limit_is_413_before_it_is_read_whole(
    gateway: GatewayProcess, key: str
) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    )
    size = 1024 * 1024
    chunk = f"{size:x}\r\n".encode() + b" " * size + b"\r\n"
    answer, sent = send_raw(gateway, head, chunk, 60)
    assert answer.startswith(b"HTTP/1.1 413")
    assert 32 <= sent < 60


def test_nobody_without_a_key_has_a_body_read(gateway: GatewayProcess) -> None:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-no\r\n"
        "content-length: 1000000\r\n\r\n"
    )
    answer, _ = send_raw(gateway, head, b"x", 100)
    assert answer.startswith(b"HTTP/1.1 401")


def test_a_vision_request_of_20_megabytes_is_let_in(client: httpx.Client) -> None:
    body = json.dumps(chat_body("x" * (20 * 1024 * 1024), model="gpt-unknown"))
    response = client.post(CHAT, content=body)
    assert_openai_error(response, 404, code="model_not_found")


# --- Request ids ------------------------------------------------------------------------------


def test_a_sane_request_id_is_kept_everywhere(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    response = post(client, chat_body(), request_id=request_id)
    assert response.headers["x-request-id"] == request_id
    assert gateway.row(request_id).status == 200
    gateway.wait_until(lambda: f"request_id={request_id}" in gateway.log, "the log line")


@pytest.mark.parametrize("offered", ["with space", "x" * 300, 'quote"', "\u00e9"])
def test_an_insane_request_id_is_replaced(
    gateway: GatewayProcess, client: httpx.Client, offered: str
) -> None:
    response = client.get("/models", headers={"x-request-id": offered.encode()})
    assert response.headers["x-request-id"].startswith("req_")


def test_errors_carry_the_request_id_too(client: httpx.Client) -> None:
    request_id = new_id()
    response = client.get("/nothing", headers={"x-request-id": request_id})
    assert response.headers["x-request-id"] == request_id


A_CHAT = {"model": OPENAI, "messages": [{"role": "user", "content": "Hi"}]}
A_RESPONSE = {"model": OPENAI, "input": "Hi"}
A_MESSAGE = {**A_CHAT, "max_tokens": 20}


@pytest.mark.parametrize(
    ("path", "body", "name", "value", "instead"),
    [
        ("/chat/completions", A_CHAT, "system", "Be brief.", "role 'system'"),
        ("/chat/completions", A_CHAT, "instructions", "Be brief.", "role 'system'"),
        ("/chat/completions", A_CHAT, "max_output_tokens", 9, "max_completion_tokens"),
        ("/chat/completions", A_CHAT, "stop_sequences", ["x"], "'stop'"),
        ("/responses", A_RESPONSE, "response_format", {"type": "json_object"}, "text.format"),
        ("/responses", A_RESPONSE, "reasoning_effort", "low", "reasoning.effort"),
        ("/responses", A_RESPONSE, "stop", ["x"], "chat completions"),
        ("/responses", A_RESPONSE, "system", "Be brief.", "instructions"),
        ("/messages", A_MESSAGE, "stop", ["x"], "stop_sequences"),
        (
            "/messages",
            A_MESSAGE,
            "response_format",
            {"type": "json_object"},
            "output_config.format",
        ),
        ("/messages", A_MESSAGE, "instructions", "Be brief.", "'system'"),
    ],
)
def test_a_field_of_another_api_is_refused_with_the_one_to_use(
    client: httpx.Client,
    upstream: RunningSimulator,
    path: str,
    body: dict[str, Any],
    name: str,
    value: Any,
    instead: str,
) -> None:
    response = client.post(path, json={**body, name: value})
    assert response.status_code == 400
    error = response.json()["error"]
    assert f"'{name}' is no field" in error["message"]
    assert instead in error["message"]
    assert not upstream.requests
    assert client.post(path, json={**body, name: None}).status_code == 200


def test_a_field_of_another_api_is_passed_over_beside_the_right_one(client: httpx.Client) -> None:
    given = {"messages": [{"role": "user"}], "instructions": "Be brief.", "system": "Be long."}
    assert client.post("/responses", json={**A_RESPONSE, **given}).status_code == 200


@pytest.mark.parametrize("name", ["max_output_tokens", "max_completion_tokens", "max_tokens"])
def test_a_response_takes_a_limit_by_each_of_openais_names(
    client: httpx.Client, upstream: RunningSimulator, name: str
) -> None:
    answer = client.post("/responses", json={**A_RESPONSE, name: 9}).json()
    assert answer["max_output_tokens"] == 9
    assert upstream.requests[-1].body["max_tokens"] == 9


@pytest.mark.parametrize("name", ["input_schema", "inputSchema"])
def test_a_schema_under_anothers_name_is_refused_and_not_lost(
    client: httpx.Client, upstream: RunningSimulator, name: str
) -> None:
    flat = {"type": "function", "name": "f", name: {"type": "object"}}
    nested = {"type": "function", "function": {"name": "f", name: {"type": "object"}}}
    for path, body, tool in (
        ("/chat/completions", A_CHAT, flat),
        ("/chat/completions", A_CHAT, nested),
        ("/responses", A_RESPONSE, flat),
    ):
        response = client.post(path, json={**body, "tools": [tool]})
        assert_openai_error(response, 400, says="Use 'parameters'")
        assert name in response.json()["error"]["param"]
    assert not upstream.requests
