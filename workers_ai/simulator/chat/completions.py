"""Text Generation: `/ai/v1/chat/completions` and `/ai/run/{chat model}`, whole or streamed."""

import time
import uuid
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import Picture, Question, Thought, answer, text_of
from workers_ai.simulator.chat.streams import Generated, paced, steps_of
from workers_ai.simulator.chat.vision import look_at_bytes, looked_at
from workers_ai.simulator.models.chat_schemas import legacy_schema, openai_schema
from workers_ai.simulator.models.families import (
    Family,
    context_window,
    family_of,
    flag,
    reasons,
    sees_images,
)
from workers_ai.simulator.models.metering import (
    IMAGE_TOKENS,
    MESSAGE_OVERHEAD_TOKENS,
    count_tokens,
    price_list,
    split_tokens,
    token_usage,
)
from workers_ai.simulator.pacing import FIRST_TOKEN_SECONDS, TOKEN_SECONDS
from workers_ai.simulator.replies import (
    AnyReply,
    BadInput,
    Refusal,
    StreamReply,
    bare,
    model_message,
    success,
)
from workers_ai.simulator.validation import byte_values, require_valid

CACHE_BLOCK_TOKENS = 16
# Below this a reasoning model cannot get as far as a forced call.
MIN_FORCED_CALL_TOKENS = 32
# Longer prompts make "required" a wish.
REQUIRED_HOLDS_TOKENS = 6000


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


def generate(call: Call, body: dict[str, Any]) -> list[Generated]:
    """Checks the request as the model's backend would, and makes its answers."""
    entry = call.entry()
    family = family_of(entry)
    _require_terms(call, entry, body)
    _require_sane(entry, family, body)
    _require_schema(call, family, body)
    messages = conversation(body)
    pictures = pictures_in(entry, messages, body)
    question = asked(body, family, entry["name"], messages, pictures)
    prompt_tokens = count_prompt(messages, question)
    limit = token_limit(body, family)
    _require_room(entry, prompt_tokens, limit)
    if question.tool_choice == "required" and prompt_tokens > REQUIRED_HOLDS_TOKENS:
        question.tool_choice = "none"
    thought = answer(question)
    thinks = reasons(entry, body)
    count = body.get("n") or 1 if family.openai_schema else 1
    cached = _cached_tokens(call, entry, body, prompt_tokens)
    stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
    cut = _cut(thought, family, thinks, limit, stops if family.openai_schema else [])
    cut.turn = len(messages)
    cut.model = entry["name"]
    cut.json_mode = question.json_schema is not None
    cut.usage = token_usage(entry, prompt_tokens, count * _completion_tokens(cut), cached)
    made = [cut]
    for index in range(1, count):
        made.append(Generated(**{**cut.__dict__, "index": index}))
    return made


def conversation(body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(body.get("messages"), list):
        return [message for message in body["messages"] if isinstance(message, dict)]
    return [{"role": "user", "content": str(body.get("prompt", ""))}]


def pictures_in(
    entry: dict[str, Any], messages: list[dict[str, Any]], body: dict[str, Any]
) -> list[Picture]:
    """What the model sees of the pictures in the last user turn."""
    if not sees_images(entry):
        return []
    users = [message for message in messages if message.get("role") == "user"]
    content = users[-1].get("content") if users else None
    parts = content if isinstance(content, list) else []
    seen = []
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "image_url":
            image = part.get("image_url")
            seen.append(looked_at(image.get("url") if isinstance(image, dict) else image))
    if isinstance(body.get("image"), list):
        seen.append(look_at_bytes(byte_values(body["image"], "/image")))
    elif isinstance(body.get("image"), str):
        seen.append(looked_at(body["image"]))
    return seen


def asked(
    body: dict[str, Any],
    family: Family,
    model: str,
    messages: list[dict[str, Any]],
    pictures: list[Picture],
) -> Question:
    choice = body.get("tool_choice") or "auto"
    forced = ""
    if isinstance(choice, dict):
        forced = str((choice.get("function") or {}).get("name", ""))
        choice = "required" if forced else "auto"
    given = body.get("tools")
    offered = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    tools = [one.get("function") or one for one in offered]
    return Question(
        messages=messages,
        model=model,
        tools=[tool for tool in tools if isinstance(tool, dict) and tool.get("name")],
        tool_choice=choice,
        forced_name=forced,
        parallel=body.get("parallel_tool_calls", True) is not False,
        json_schema=wanted_schema(body, family),
        pictures=pictures,
    )


def wanted_schema(body: dict[str, Any], family: Family) -> dict[str, Any] | None:
    """The schema that the answer must fit, read as the model's family reads it."""
    if isinstance(body.get("guided_json"), dict):
        return dict(body["guided_json"])
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") not in ("json_object", "json_schema"):
        return None
    given = form.get("json_schema")
    if form["type"] == "json_object" or not isinstance(given, dict):
        return {}
    if family.schema_envelope == "ignored":
        return {}
    # A family that wants the bare schema finds no schema in an envelope, and makes up its own.
    if family.schema_envelope == "named" or (
        family.schema_envelope == "either" and isinstance(given.get("schema"), dict)
    ):
        inner = given.get("schema")
        return dict(inner) if isinstance(inner, dict) else {}
    return dict(given)


def count_prompt(messages: list[dict[str, Any]], question: Question) -> int:
    texts = sum(count_tokens(text_of(message.get("content"))) for message in messages)
    calls = sum(
        count_tokens(orjson.dumps(message["tool_calls"]).decode())
        for message in messages
        if message.get("tool_calls")
    )
    tools = count_tokens(orjson.dumps(question.tools).decode()) if question.tools else 0
    pictures = IMAGE_TOKENS * len(question.pictures)
    return texts + calls + tools + pictures + MESSAGE_OVERHEAD_TOKENS * len(messages)


def token_limit(body: dict[str, Any], family: Family) -> int | None:
    """The most tokens the answer may have; old models have 256 unless told otherwise."""
    given = body.get("max_tokens")
    if family.openai_schema and body.get("max_completion_tokens") is not None:
        given = body["max_completion_tokens"]
    return int(given) if given is not None else family.default_max_tokens


def _cut(
    thought: Thought, family: Family, thinks: bool, limit: int | None, stops: list[str]
) -> Generated:
    """The answer within its limits. Thoughts come first and count, so they can use it all up."""
    content = thought.content
    for stop in stops:
        content = content.split(stop, 1)[0] if stop else content
    reasoning = thought.reasoning if thinks else ""
    if family.reasoning_field.startswith("inline"):
        opening = "<think>\n" if family.reasoning_field == "inline" else ""
        content = f"{opening}{reasoning}\n</think>\n\n{content}"
        reasoning = ""
    thoughts, words = split_tokens(reasoning), split_tokens(content)
    calls, finish = thought.tool_calls, "tool_calls" if thought.tool_calls else "stop"
    if limit is not None and len(thoughts) + len(words) > limit:
        thoughts = thoughts[:limit]
        words = words[: limit - len(thoughts)]
        calls, finish = (), "length"
    return Generated("", family, words, {}, thoughts, calls, finish)


def _completion_tokens(made: Generated) -> int:
    calls = [{"name": call.name, "arguments": call.arguments} for call in made.tool_calls]
    spent = len(made.content) + len(made.reasoning)
    spent += count_tokens(orjson.dumps(calls).decode()) if calls else 0
    # The end of the turn is a token too, unless the answer was cut off.
    return spent if made.finish_reason == "length" else spent + 1


def _cached_tokens(
    call: Call, entry: dict[str, Any], body: dict[str, Any], prompt_tokens: int
) -> int:
    session = call.headers.get("x-session-affinity", "")
    if not session or "per M cached input tokens" not in price_list(entry):
        return 0
    parts = [body.get("tools"), body.get("messages"), body.get("prompt")]
    prompt = "".join(orjson.dumps(part).decode() for part in parts if part is not None)
    alike = call.world.common_prefix(entry["name"], session, prompt)
    tokens = int(prompt_tokens * alike / max(1, len(prompt)))
    return min(tokens // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS, prompt_tokens - 1)


def _require_terms(call: Call, entry: dict[str, Any], body: dict[str, Any]) -> None:
    """Llama 3.2's picture model answers nobody before its terms were agreed to."""
    name = entry["name"]
    if "llama-3.2-11b-vision" not in name:
        return
    if str(body.get("prompt", "")).strip().lower() == "agree":
        call.world.agreed_terms.add(name)
    if name not in call.world.agreed_terms:
        raise Refusal(
            403,
            5016,
            model_message(
                "Model Agreement: Prior to using this model, you must submit the prompt 'agree'."
            ),
        )


def _require_sane(entry: dict[str, Any], family: Family, body: dict[str, Any]) -> None:
    """What the inference server refuses before and beside the schema."""
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        raise Refusal(400, 8001, model_message(f"Invalid input: tool_choice '{choice}'"))
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function", tool) if isinstance(tool, dict) else {}
        if not isinstance(function, dict):
            continue
        if not isinstance(function.get("description", ""), str):
            raise Refusal(400, 8001, model_message("Invalid input: tool description"))
    if body.get("tools") and not flag(entry, "function_calling"):
        raise Refusal(400, 8001, model_message("Invalid input: the model takes no tools"))
    for name in family.refused_fields:
        if body.get(name) is not None:
            raise Refusal(400, 8001, model_message(f"Invalid input: {name}"))
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    forced = choice == "required" or isinstance(choice, dict)
    too_little = isinstance(limit, int) and limit < MIN_FORCED_CALL_TOKENS
    if forced and family.reasoning_field and too_little:
        raise Refusal(400, 8006, model_message("Validation: max_tokens ends a forced call"))
    if body.get("messages") is None and body.get("prompt") is None and not family.openai_schema:
        raise BadInput(
            "oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', "
            "required properties at '/' are 'messages'"
        )


def _require_schema(call: Call, family: Family, body: dict[str, Any]) -> None:
    # A model whose schema is unpublished has one all the same.
    require_valid(call.schema() or legacy_schema(), body)
    if family.openai_schema:
        # gpt-oss publishes its three forms only, but is served with OpenAI's other fields too.
        require_valid(openai_schema(envelope=family.schema_envelope == "named"), body)


def _require_room(entry: dict[str, Any], prompt_tokens: int, limit: int | None) -> None:
    window = context_window(entry)
    wanted = prompt_tokens + (limit or 0)
    if wanted <= window:
        return
    if family_of(entry).openai_schema:
        text = (
            f"This model's maximum context length of {window} tokens is exceeded: "
            f"{wanted} tokens were asked for ({prompt_tokens} in the prompt)"
        )
    else:
        text = (
            f"The estimated number of input and maximum output tokens ({wanted}) exceeded this "
            f"model context window limit ({window})."
        )
    raise Refusal(413, 5021, model_message(text))


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
    """The JSON of an answer; inline thoughts before it make it text again."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def completion(all_made: list[Generated]) -> dict[str, Any]:
    """A chat.completion with what each server leaves out of it or adds to it."""
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
                    "arguments": orjson.dumps(one.arguments).decode(),
                },
            }
            for one, call_id in zip(made.tool_calls, made.call_ids(), strict=True)
        ]
    choice: dict[str, Any] = {
        "index": made.index,
        "message": message,
        "logprobs": None,
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
