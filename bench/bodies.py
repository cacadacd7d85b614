"""The requests that are sent: chats, long and short, a coding agent's, pictures."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

PROMPT = "Summarise the report in three sentences. " * 6


def chat_body(model: str, *, stream: bool, body_bytes: int = 0) -> bytes:
    """A chat request; with `body_bytes`, one with a picture that makes it that long."""
    content: Any = PROMPT
    if body_bytes:
        picture = "data:image/png;base64," + "iVBORw0KGgo" + "A" * body_bytes
        content = [
            {"type": "text", "text": PROMPT},
            {"type": "image_url", "image_url": {"url": picture[: max(40, body_bytes - 600)]}},
        ]
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant for the data team."},
            {"role": "user", "content": content},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


AGENT_TOOLS = 60
AGENT_BYTES = 200_000


def agent_body(model: str) -> bytes:
    """A coding agent's request in the middle of its work: 60 tools, and calls of them with what
    they gave, until 200 KB are full."""
    tools = [agent_tool(number) for number in range(AGENT_TOOLS)]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a coding agent. " + PROMPT * 20},
        {"role": "user", "content": "Find out why the tests of the parser fail, and mend it."},
    ]
    body: dict[str, Any] = {"model": model, "messages": messages, "tools": tools}
    left = AGENT_BYTES - len(json.dumps(body, separators=(",", ":")))
    source = "".join(f'{n:4}  def line_{n}(self) -> None: return self."x"\n' for n in range(40))
    while left > 0:
        number = len(messages)
        arguments = json.dumps({"path": f"src/parser/part_{number}.py", "limit": 40})
        call = {"name": f"tool_{number % AGENT_TOOLS}", "arguments": arguments}
        turn = [
            {
                "role": "assistant",
                "content": f"Part {number} is next.",
                "tool_calls": [{"id": f"call_{number}", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": f"call_{number}", "content": source},
        ]
        messages += turn
        left -= len(json.dumps(turn, separators=(",", ":")))
    return json.dumps(body | {"tool_choice": "auto"}, separators=(",", ":")).encode()


def agent_tool(number: int) -> dict[str, Any]:
    properties = {
        "path": {"type": "string", "description": "The file, from the root of the checkout."},
        "limit": {"type": "integer", "description": "Lines at most.", "minimum": 1},
        "mode": {"type": "string", "enum": ["read", "search", "replace"]},
    }
    return {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": f"Tool {number} of the agent. " + "It works on files. " * 12,
            "parameters": {"type": "object", "properties": properties, "required": ["path"]},
        },
    }


def image_body(model: str) -> bytes:
    body = {"model": model, "prompt": "a red square on white", "response_format": "b64_json"}
    return json.dumps(body, separators=(",", ":")).encode()


def request_bytes(url: str, headers: Sequence[str], body: bytes) -> bytes:
    address = urlsplit(url)
    lines = [
        f"POST {address.path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Accept: */*",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
