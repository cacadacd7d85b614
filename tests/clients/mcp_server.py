"""A small MCP server over standard input and output, which programs start by themselves.

It needs nothing but Python: one JSON-RPC message a line, one tool that tells the weather.
"""

import json
import sys
from typing import Any

TOOL = {
    "name": "get_weather",
    "description": "The weather at a place",
    "inputSchema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def result(method: str, given: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        return {
            "protocolVersion": given["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "weather", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        city = given["arguments"]["city"]
        return {"content": [{"type": "text", "text": f"Sunny in {city}, says the server."}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        found = result(message["method"], message.get("params") or {})
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if found is None:
            answer["error"] = {"code": -32601, "message": "no such method"}
        else:
            answer["result"] = found
        print(json.dumps(answer), flush=True)
