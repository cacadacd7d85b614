"""Pictures and documents in the results of tools, in each dialect: never lost, never deadly."""

from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.contract.pictures import png
from tests.openai_api.chats import VLLM
from workers_ai.simulator.serve import RunningSimulator

BLIND = VLLM
SEEING = "@cf/meta/llama-4-scout-17b-16e-instruct"
PIXEL = b64encode(png()).decode()
URL = f"data:image/png;base64,{PIXEL}"
PDF = b64encode(b"%PDF-1.4 \xff").decode()
NOTES = b64encode("Zwölf birds".encode()).decode()
DIALECTS = pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages"])


def in_chat(kind: str, data: str) -> dict[str, Any]:
    if kind == "text":
        return {"type": "text", "text": data}
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    file = {"file_data": f"data:{kind};base64,{data}", "filename": "notes"}
    return {"type": "file", "file": file}


def in_responses(kind: str, data: str) -> dict[str, Any]:
    if kind == "text":
        return {"type": "input_text", "text": data}
    if kind.startswith("image/"):
        return {"type": "input_image", "image_url": f"data:{kind};base64,{data}"}
    file = {"file_data": f"data:{kind};base64,{data}", "filename": "notes"}
    return {"type": "input_file", **file}


def in_messages(kind: str, data: str) -> dict[str, Any]:
    if kind == "text":
        return {"type": "text", "text": data}
    source = {"type": "base64", "media_type": kind, "data": data}
    if kind.startswith("image/"):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, "title": "notes"}


def asking(
    path: str, model: str, *, given: list[tuple[str, str]], said: list[tuple[str, str]]
) -> dict[str, Any]:
    """A request in which a tool gave back `given`, and the user then says `said`."""
    if path == "/chat/completions":
        call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
        return {
            "model": model,
            "messages": [
                {"role": "user", "content": "Read it."},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": [in_chat(*p) for p in given]},
                {"role": "user", "content": [in_chat(*part) for part in said]},
            ],
        }
    if path == "/responses":
        call = {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"}
        output = [in_responses(*part) for part in given]
        return {
            "model": model,
            "input": [
                {"role": "user", "content": "Read it."},
                call,
                {"type": "function_call_output", "call_id": "c1", "output": output},
                {"role": "user", "content": [in_responses(*part) for part in said]},
            ],
        }
    use = {"type": "tool_use", "id": "c1", "name": "read", "input": {}}
    blocks = [in_messages(*part) for part in given]
    result = {"type": "tool_result", "tool_use_id": "c1", "content": blocks}
    return {
        "model": model,
        "max_tokens": 200,
        "messages": [
            {"role": "user", "content": "Read it."},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result, *(in_messages(*part) for part in said)]},
        ],
    }


def sent(
    client: httpx.Client, upstream: RunningSimulator, path: str, model: str, **parts: Any
) -> list[dict[str, Any]]:
    """The messages that the model was sent."""
    parts.setdefault("said", [("text", "So?")])
    response = client.post(path, json=asking(path, model, **parts))
    assert response.status_code == 200, response.text
    messages: list[dict[str, Any]] = upstream.requests[-1].body["messages"]
    return messages


@DIALECTS
def test_a_model_without_eyes_reads_that_there_was_a_picture(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    given = [("text", "Done."), ("image/png", PIXEL)]
    messages = sent(client, upstream, path, BLIND, given=given)
    assert messages[2]["content"] == "Done.\n[image: this model sees no pictures]"
    assert messages[3]["content"] == "So?"


@DIALECTS
def test_a_model_with_eyes_sees_the_picture_after_the_results(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    given = [("text", "Done."), ("image/png", PIXEL)]
    messages = sent(client, upstream, path, SEEING, given=given)
    assert messages[2]["content"] == "Done."
    assert messages[3] == {
        "role": "user",
        "content": [
            {"type": "text", "text": "What the tool showed:"},
            {"type": "image_url", "image_url": {"url": URL}},
            {"type": "text", "text": "So?"},
        ],
    }


@DIALECTS
def test_a_picture_of_the_user_is_still_refused_without_eyes(
    client: httpx.Client, path: str
) -> None:
    body = asking(path, BLIND, given=[("text", "Done.")], said=[("image/png", PIXEL)])
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert "does not take images" in response.json()["error"]["message"]


@DIALECTS
@pytest.mark.parametrize("model", [BLIND, SEEING])
def test_documents_of_tools_are_read_or_named(
    client: httpx.Client, upstream: RunningSimulator, path: str, model: str
) -> None:
    given = [("text", "PDF file read"), ("application/pdf", PDF), ("text/plain", NOTES)]
    messages = sent(client, upstream, path, model, given=given)
    at = {
        "/chat/completions": "messages[2].content[1].file.file_data",
        "/responses": "input[2].output[1].file_data",
        "/messages": "messages[2].content[0].content[1].source.data",
    }[path]
    assert messages[2]["content"].split("\n") == [
        "PDF file read",
        "[document notes: it could not be read. The document at "
        f"'{at}' cannot be read: Invalid PDF structure.]",
        "notes",
        "Zwölf birds",
    ]


@DIALECTS
def test_text_files_of_the_user_are_read_into_the_prompt(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    said = [("text", "How many?"), ("application/json", NOTES)]
    messages = sent(client, upstream, path, BLIND, given=[("text", "Done.")], said=said)
    assert messages[3]["content"] == "How many?\nnotes\nZwölf birds"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "a"}},
            "[image: no model reads pictures of type image/bmp]",
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            "[image: it could not be shown to this model]",
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "file:///etc/passwd"}},
            "[document: it could not be shown to this model]",
        ),
    ],
)
def test_what_nothing_here_can_read_is_said(
    client: httpx.Client, upstream: RunningSimulator, block: dict[str, Any], said: str
) -> None:
    body = asking("/messages", BLIND, given=[], said=[])
    body["messages"][2]["content"][0]["content"] = [block]
    assert client.post("/messages", json=body).status_code == 200
    assert upstream.requests[-1].body["messages"][2]["content"] == said


BROKEN_PICTURES = {
    "image/bmp": ("Qk0=", "no model reads pictures of type image/bmp"),
    "image/svg+xml": ("PHN2Zz4=", "no model reads pictures of type image/svg+xml"),
    "image/png": ("@@@@", "its data is that of no picture"),
    "image/jpeg": ("AAAAAAAA", "its data is that of no picture"),
}
LOST_URLS = {
    "http://127.0.0.1/a.png": "its address is not public",
    "blob:x": "it could not be shown to this model",
    "http:///a.png": "it could not be shown to this model",
}


@DIALECTS
def test_no_picture_of_a_tool_ends_a_chat_with_a_model_that_sees(
    client: httpx.Client, upstream: RunningSimulator, path: str
) -> None:
    for kind, (data, told) in BROKEN_PICTURES.items():
        messages = sent(client, upstream, path, SEEING, given=[("text", "Done."), (kind, data)])
        assert messages[2]["content"] == f"Done.\n[image: {told}]"
    for url, told in LOST_URLS.items():
        body = asking(path, SEEING, given=[("image/png", PIXEL)], said=[("text", "So?")])
        field = "input" if path == "/responses" else "messages"
        result = body[field][2]
        if path == "/chat/completions":
            result["content"][0]["image_url"]["url"] = url
        elif path == "/responses":
            result["output"][0]["image_url"] = url
        else:
            result["content"][0]["content"][0]["source"] = {"type": "url", "url": url}
        assert client.post(path, json=body).status_code == 200, url
        assert told in upstream.requests[-1].body["messages"][2]["content"]


@pytest.mark.parametrize(
    ("path", "part", "told"),
    [
        ("/chat/completions", {"type": "resource", "uri": "x"}, "[resource: it could not be"),
        ("/responses", {"type": "input_audio", "input_audio": {}}, "[input_audio: it could not"),
        ("/responses", {"type": "input_image", "file_id": "f"}, "[image: it could not be shown"),
        ("/responses", {"type": "input_file", "file_id": "f"}, "[document: it could not be shown"),
        ("/messages", {"type": "audio", "source": {}}, "[audio: it could not be passed on"),
    ],
)
def test_parts_of_unknown_kinds_are_said(
    client: httpx.Client, upstream: RunningSimulator, path: str, part: dict[str, Any], told: str
) -> None:
    body = asking(path, BLIND, given=[("text", "-")], said=[("text", "So?")])
    result = body["input" if path == "/responses" else "messages"][2]
    if path == "/chat/completions":
        result["content"] = [part]
    elif path == "/responses":
        result["output"] = [part]
    else:
        result["content"][0]["content"] = [part]
    assert client.post(path, json=body).status_code == 200
    assert upstream.requests[-1].body["messages"][2]["content"].startswith(told)


def given_back(path: str, given: Any) -> dict[str, Any]:
    """A request in which a tool gave back `given`, as the client wrote it."""
    body = asking(path, BLIND, given=[], said=[("text", "So?")])
    result = body["input" if path == "/responses" else "messages"][2]
    if path == "/messages":
        result["content"][0]["content"] = given
    else:
        result["output" if path == "/responses" else "content"] = given
    return body


@DIALECTS
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, ""),
        ({"temperature": 9}, '{"temperature": 9}'),
        (9, "9"),
        (True, "true"),
        ([], ""),
        (["Rain", "9 C"], "Rain\n9 C"),
        ([{"temperature": 9}], '{"temperature": 9}'),
        ([{"type": "text", "text": None}, {"type": "text", "text": {"a": 1}}], '{"a": 1}'),
    ],
)
def test_a_result_that_is_no_text_is_told_as_json(
    client: httpx.Client, upstream: RunningSimulator, path: str, given: Any, told: str
) -> None:
    response = client.post(path, json=given_back(path, given))
    assert response.status_code == 200, response.text
    assert upstream.requests[-1].body["messages"][2]["content"].strip() == told


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
@pytest.mark.parametrize(
    ("arguments", "sent_on"),
    [({"path": "a"}, '{"path": "a"}'), (None, "{}"), (["a"], '{"arguments":["a"]}')],
)
def test_arguments_of_an_earlier_call_may_be_the_object_itself(
    client: httpx.Client, upstream: RunningSimulator, path: str, arguments: Any, sent_on: str
) -> None:
    body = given_back(path, "Done.")
    if path == "/responses":
        body["input"][1]["arguments"] = arguments
    else:
        body["messages"][1]["tool_calls"][0]["function"]["arguments"] = arguments
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    call = upstream.requests[-1].body["messages"][1]["tool_calls"][0]
    assert call["function"]["arguments"] == sent_on
