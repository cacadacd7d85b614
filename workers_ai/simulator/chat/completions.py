"""Text Generation: `/ai/v1/chat/completions` and `/ai/run/{chat model}`, whole or streamed."""

import time
import uuid
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.generate import generate
from workers_ai.simulator.chat.streams import Generated, paced, steps_of
from workers_ai.simulator.pacing import FIRST_TOKEN_SECONDS, TOKEN_SECONDS
from workers_ai.simulator.replies import AnyReply, StreamReply, bare, success


async def chat_completions(call: Call) -> AnyReply:
    """OpenAI's endpoint; which dialect comes back depends on the model's backend."""
    body = call.json_object()
    made = generate(call, body)
    family = made[0].family
    if body.get("stream"):
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return StreamReply(paced(steps_of(made, include_usage), call.pace))
    await think(call, made)
    neurons = str(made[0].usage["neurons"])
    if family.dialect == "legacy":
        return bare(legacy_result(made[0]), cf_ai_neurons=neurons)
    return bare(completion(made), cf_ai_neurons=neurons)


async def run(call: Call) -> AnyReply:
    """`/ai/run` of a chat model: the legacy answer, or a whole completion inside the envelope."""
    body = call.json_object()
    made = generate(call, body)
    family = made[0].family
    old = family.dialect in ("legacy", "incremental")
    if body.get("stream"):
        if not family.can_run_stream:
            return success({})
        return StreamReply(paced(steps_of(made, True, legacy=old), call.pace))
    await think(call, made)
    neurons = str(made[0].usage["neurons"])
    if old:
        return success(legacy_result(made[0]), cf_ai_neurons=neurons)
    result = completion(made)
    if "gemma-4" in call.model:
        result["response"] = None
    if "nemotron" in call.model:
        result["response_text"] = made[0].text
    return success(result, cf_ai_neurons=neurons)


async def think(call: Call, made: list[Generated]) -> None:
    """Takes the time that the answer takes to make."""
    tokens = sum(one.usage["completion_tokens"] for one in made[:1])
    await call.pace.wait(FIRST_TOKEN_SECONDS + tokens * TOKEN_SECONDS)


def legacy_result(made: Generated) -> dict[str, Any]:
    """`{"response"}`: text, a number when the answer is one, an object in JSON mode."""
    response: Any = made.text
    if made.json_mode and made.finish_reason == "stop":
        response = _parsed_json(made.text)
    elif made.text.isascii() and made.text.isdigit():
        response = int(made.text)
    if made.tool_calls:
        response = None
    calls = [{"name": call.name, "arguments": call.arguments} for call in made.tool_calls]
    return {"response": response, "tool_calls": calls, "usage": made.usage}


def _parsed_json(text: str) -> Any:
    """The JSON of an answer; the text itself when thoughts stand before it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def completion(all_made: list[Generated]) -> dict[str, Any]:
    """A chat.completion, with what each server leaves out or adds."""
    made = all_made[0]
    identifier = uuid.uuid4().hex[:6] if made.family.dialect == "sglang" else _long_id(made)
    return {
        "id": identifier,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": made.shown_model,
        "choices": [_choice(one) for one in all_made],
        "usage": made.usage,
    }


def _long_id(made: Generated) -> str:
    if made.family.dialect == "incremental":
        return f"id-{int(time.time() * 1000)}"
    return f"chatcmpl-{uuid.uuid4().hex}"


def _choice(made: Generated) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": made.text}
    if made.reasoning:
        message[made.family.reasoning_field] = "".join(made.reasoning)
    if made.tool_calls:
        message["tool_calls"] = [
            {
                "id": call_id,
                "type": "function",
                "function": {
                    "name": one.name,
                    "arguments": one.text,
                },
            }
            for one, call_id in zip(made.tool_calls, made.call_ids(), strict=True)
        ]
    choice: dict[str, Any] = {
        "index": made.index,
        "message": message,
        "logprobs": made.logprobs(made.content),
        "finish_reason": made.finish_reason,
    }
    if "nemotron" in made.model:
        unused = ("refusal", "annotations", "audio", "function_call")
        message.update(dict.fromkeys(unused), tool_calls=message.get("tool_calls", []))
        choice.update(stop_reason=None, token_ids=None)
    elif made.family.dialect == "sglang":
        choice["matched_stop"] = 106 if made.finish_reason == "stop" else None
    elif made.family.dialect == "incremental":
        # "stop" after tool calls, as its streams say too.
        choice["finish_reason"] = "length" if made.finish_reason == "length" else "stop"
    return choice
