"""What a chat request asks of its model, and what the model's backend refuses before it runs."""

from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import Picture, Question, text_of
from workers_ai.simulator.chat.templates import require_order, server_words
from workers_ai.simulator.chat.vision import look_at_bytes, looked_at
from workers_ai.simulator.models.families import (
    Family,
    context_window,
    family_of,
    flag,
    sees_images,
)
from workers_ai.simulator.models.legacy_schema import legacy_schema
from workers_ai.simulator.models.metering import (
    IMAGE_TOKENS,
    MESSAGE_OVERHEAD_TOKENS,
    count_tokens,
)
from workers_ai.simulator.models.openai_schema import openai_schema
from workers_ai.simulator.replies import BadInput, Refusal, model_message
from workers_ai.simulator.validation import byte_values, require_valid

# With fewer a reasoning model cannot reach a forced call.
MIN_FORCED_CALL_TOKENS = 32


def require_acceptable(
    call: Call, entry: dict[str, Any], family: Family, body: dict[str, Any]
) -> None:
    """Raises `Refusal` or `BadInput` as the model's backend would."""
    _require_access(call, entry, body)
    _require_sane(entry, family, body)
    _require_schema(call, family, body)
    require_order(family.template, conversation(body))


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
    # A family that expects the bare schema ignores one in an envelope.
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


def _require_access(call: Call, entry: dict[str, Any], body: dict[str, Any]) -> None:
    """Llama 3.2's picture model refuses everything until its terms are agreed to; others are for
    accounts that asked for them in a form.
    """
    name, admitted = entry["name"], call.world.admitted
    if name in admitted:
        return
    if "llama-3.2-11b-vision" in name:
        if str(body.get("prompt", "")).strip().lower() == "agree":
            admitted.add(name)
            return
        raise Refusal(
            403,
            5016,
            model_message(
                "Model Agreement: Prior to using this model, you must submit the prompt 'agree'."
            ),
        )
    if family_of(entry).by_form:
        raise Refusal(
            403, 5018, model_message("Account is not allowed to access this private model")
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
    # A model whose schema is not published still checks against one.
    require_valid(call.schema() or legacy_schema(), body)
    if family.openai_schema:
        # gpt-oss publishes its three forms only, but is served with OpenAI's other fields too.
        require_valid(openai_schema(envelope=family.schema_envelope == "named"), body)


def require_room(entry: dict[str, Any], prompt_tokens: int, limit: int | None) -> None:
    window = context_window(entry)
    ceiling = family_of(entry).ceiling
    if ceiling is not None:
        window = min(window, ceiling)
        if (limit or 0) > ceiling:
            raise Refusal(
                400,
                8007,
                server_words(
                    f"max_completion_tokens is too large: {limit}. This model supports at most "
                    f"{ceiling} completion tokens."
                ),
            )
    wanted = prompt_tokens + (limit or 0)
    if wanted <= window:
        return
    if ceiling is not None:
        raise Refusal(
            400,
            8007,
            server_words(
                f"Requested token count exceeds the model's maximum context length of {window} "
                f"tokens. You requested a total of {wanted} tokens: {prompt_tokens} tokens from "
                f"the input messages and {limit or 0} tokens for the completion."
            ),
        )
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
