"""OpenAI's Responses for gpt-oss, not streamed, and the refusal of Anthropic's Messages."""

import time
import uuid
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat import completions
from workers_ai.simulator.chat.generate import generate
from workers_ai.simulator.chat.streams import Generated
from workers_ai.simulator.replies import AnyReply, BadInput, Reply, bare, model_message, success


async def create(call: Call) -> Reply:
    """`/ai/v1/responses`: a bare response object."""
    if "gpt-oss" not in call.entry()["name"]:
        raise BadInput(f'Responses API is not supported for model "{call.model}"')
    made = await _generated(call)
    return bare(response_object(made), cf_ai_neurons=str(made.usage["neurons"]))


async def run(call: Call) -> AnyReply:
    """`/ai/run` of gpt-oss: the key of the body says which of the three forms it is."""
    if "input" not in call.json_object():
        return await completions.run(call)
    made = await _generated(call)
    return success(response_object(made), cf_ai_neurons=str(made.usage["neurons"]))


async def _generated(call: Call) -> Generated:
    body = call.json_object()
    if "input" not in body:
        raise BadInput("required properties at '/' are 'input'")
    if body.get("stream"):
        raise BadInput("streaming is not supported for the Responses API")
    made = generate(call, as_chat(body))[0]
    await completions.think(call, [made])
    return made


def as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The chat request that says the same."""
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    items = given if isinstance(given, list) else [{"role": "user", "content": given}]
    messages += [_message(item) for item in items if isinstance(item, dict)]
    made: dict[str, Any] = {"messages": messages}
    tools = [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
    if tools:
        made["tools"] = [{"type": "function", "function": _function(tool)} for tool in tools]
    for mine, theirs in (("max_output_tokens", "max_tokens"), ("temperature", "temperature")):
        if body.get(mine) is not None:
            made[theirs] = body[mine]
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        made["response_format"] = {"type": "json_schema", "json_schema": form.get("schema") or {}}
    elif form.get("type") == "json_object":
        made["response_format"] = {"type": "json_object"}
    return made


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key not in ("type", "strict")}


def _message(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("type") == "function_call_output":
        return {
            "role": "tool",
            "content": str(item.get("output", "")),
            "tool_call_id": str(item.get("call_id", "")),
        }
    if item.get("type") == "function_call":
        return {"role": "assistant", "content": ""}
    role = "system" if item.get("role") == "developer" else item.get("role", "user")
    content = item.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content)
    return {"role": role, "content": content}


def response_object(made: Generated) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if made.reasoning:
        thought = {"type": "reasoning_text", "text": "".join(made.reasoning)}
        output.append({"id": _id("rs"), "type": "reasoning", "content": [thought], "summary": []})
    for one in made.tool_calls:
        output.append(
            {
                "id": _id("fc"),
                "type": "function_call",
                "call_id": _id("call"),
                "name": one.name,
                "arguments": one.text,
                "status": "completed",
            }
        )
    if not made.tool_calls:
        text = {"type": "output_text", "text": made.text, "annotations": []}
        output.append(
            {
                "id": _id("msg"),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        )
    cut = made.finish_reason == "length"
    usage = made.usage
    return {
        "id": _id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "model": made.model,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
            "neurons": usage["neurons"],
        },
    }


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


async def messages(call: Call) -> Reply:
    """Anthropic's endpoint knows none of these models, and answers with Anthropic's error."""
    known = call.world.catalog.entry(call.model) is not None
    text = (
        f'Anthropic Messages API is not supported for model "{call.model}"'
        if known
        else f"No such model {call.model}"
    )
    kind = "invalid_request_error" if known else "not_found_error"
    error = {"type": kind, "message": model_message(text)}
    return bare({"type": "error", "error": error}, 400 if known else 404)
