"""A chat's messages as a model takes them: texts, pictures, and earlier calls. Pure."""

import base64
from typing import Any, Final

import orjson

from catalog.classify.facts import ChatFacts
from openai_api.chat_completions import custom_tools
from openai_api.chat_completions.request import is_usual_call
from openai_api.chat_completions.translate.families import Family
from openai_api.errors import BadRequest
from openai_api.wire.left_in_body import whole

# The words of models for the roles that they do not know.
_ROLES: Final = {"developer": "system", "function": "tool"}


def types_of_parts(messages: list[dict[str, Any]]) -> set[str]:
    """The types of all parts in the messages' contents."""
    return {
        part["type"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    }


def messages_for(
    messages: list[dict[str, Any]], facts: ChatFacts, family: Family
) -> tuple[list[dict[str, Any]], list[int] | None]:
    """The messages as this model takes them, and a picture that is sent beside them."""
    image: str | None = None
    sent: list[dict[str, Any]] = []
    # Those that follow the first, joined in the end: a text that grows would be copied each time.
    instructions: list[str] = []
    last_calls: list[dict[str, Any]] = []
    for position, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        # Nothing but a text, and who says it or of which call a tool gave it, as nearly all are.
        if (
            type(content) is str
            and (len(message) == 2 or (len(message) == 3 and role == "tool"))
            and role != "function"
        ):
            if role not in ("system", "developer"):
                sent.append(message)
            elif _is_instructions_alone(sent):
                instructions.append(content)
            else:
                sent.append({"role": "system", "content": content})
            continue
        if _goes_as_it_is(message, family):
            last_calls = message["tool_calls"]
            sent.append(message)
            continue
        if facts.image_input == "top_level" and "image_url" in types_of_parts([message]):
            image = _image_url(content)
            content = [part for part in content or [] if part.get("type") != "image_url"]
        out = _translated(message, content_for(content), position, facts, family)
        if "tool_calls" in out:
            last_calls = out["tool_calls"]
        if role == "function":
            out["tool_call_id"] = last_calls[0]["id"] if last_calls else f"call_{position}"
        sent.append(out)
    if instructions:
        _join_instructions(sent[0], instructions)
    return sent, None if image is None else _picture(image)


def _goes_as_it_is(message: dict[str, Any], family: Family) -> bool:
    """Whether a message has a text and calls that are as every model takes them, and nothing else,
    as half of an agent's have."""
    if len(message) != 3 or message["role"] != "assistant":
        return False
    content, calls = message.get("content"), message.get("tool_calls")
    if type(content) is not str or not calls:
        return False
    if family.repeats_calls_in_content and not content:
        return False
    for call in calls:
        if not is_usual_call(call) or not call["id"]:
            return False
        arguments = call["function"]["arguments"]
        if _object(arguments) is not arguments:
            return False
    return True


def _translated(
    message: dict[str, Any], content: Any, position: int, facts: ChatFacts, family: Family
) -> dict[str, Any]:
    role = message["role"]
    out: dict[str, Any] = {"role": _ROLES.get(role, role), "content": content}
    if role == "assistant" and not content and message.get("refusal"):
        out["content"] = str(message["refusal"])
    calls = message.get("tool_calls")
    if not calls and "function_call" in message:
        calls = _calls_of_function(message, position)
    if calls:
        out["tool_calls"] = [_call(call, position, n) for n, call in enumerate(calls)]
        if family.repeats_calls_in_content and not out["content"]:
            out["content"] = _calls_as_text(out["tool_calls"])
    if role == "tool":
        out["tool_call_id"] = message["tool_call_id"]
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if role == "assistant" and isinstance(reasoning, str):
        # vLLM reads earlier thoughts here; inside the content they confuse the model.
        out["reasoning"] = reasoning
    if facts.dialect == "openai" and isinstance(message.get("name"), str):
        out["name"] = message["name"]
    return out


def content_for(content: Any) -> Any:
    """Text alone becomes one string, which every model takes; pictures keep their parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if all(part.get("type") in ("text", "refusal") for part in content):
        return "\n".join(part.get("text") or part.get("refusal") or "" for part in content)
    return [_part(part) for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") != "image_url":
        return part
    image = part["image_url"]
    if isinstance(image, str):
        return {"type": "image_url", "image_url": {"url": image}}
    # Nothing that tunes OpenAI's own services, which upstream does not know.
    shown = {"url": image["url"]}
    if image.get("detail") in ("auto", "low", "high"):
        shown["detail"] = image["detail"]
    return {"type": "image_url", "image_url": shown}


def _image_url(content: Any) -> str:
    urls = [
        part["image_url"]["url"] if isinstance(part["image_url"], dict) else part["image_url"]
        for part in content
        if part.get("type") == "image_url"
    ]
    return whole(urls[-1])


def _picture(url: str) -> list[int]:
    """The picture as byte values, which the older vision model takes in a field of its own; none
    of one that is not fetched yet.
    """
    if url[:4].lower() == "http":
        return []
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise BadRequest(
            "This model takes images as base64 data URLs only.",
            param="messages",
            code="unsupported_content",
        )
    try:
        return list(base64.b64decode(data, validate=True))
    except ValueError:
        raise BadRequest(
            "The image's data URL does not hold valid base64.",
            param="messages",
            code="invalid_image",
        ) from None


def _calls_of_function(message: dict[str, Any], position: int) -> list[dict[str, Any]]:
    call = message.get("function_call")
    if not isinstance(call, dict) or not call.get("name"):
        return []
    return [{"id": f"call_{position}", "function": call}]


def _is_instructions_alone(sent: list[dict[str, Any]]) -> bool:
    return len(sent) == 1 and sent[0]["role"] == "system" and isinstance(sent[0]["content"], str)


def _join_instructions(first: dict[str, Any], others: list[str]) -> None:
    """Instructions at the beginning become one message: some templates refuse a second, and those
    that take it read the same.
    """
    texts = [first["content"], *others]
    begin = next((number for number, text in enumerate(texts) if text), len(texts))
    first["content"] = "\n\n".join(texts[begin:])


def _call(call: dict[str, Any], position: int, number: int) -> dict[str, Any]:
    if call.get("type") == "custom":
        custom = call["custom"]
        arguments = custom_tools.arguments_of(custom["input"])
        function = {"name": custom["name"], "arguments": arguments}
    else:
        function = call["function"]
    return {
        "id": call.get("id") or f"call_{position}_{number}",
        "type": "function",
        "function": {"name": function["name"], "arguments": _object(function.get("arguments"))},
    }


def _object(arguments: Any) -> Any:
    """Arguments as a JSON object: servers refuse any other, and with it every later turn of the
    conversation. What the model once wrote badly is kept, as text in an object.
    """
    if not arguments:
        return "{}"
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        read = arguments
    if isinstance(read, dict):
        return arguments
    return "{}" if read is None else orjson.dumps({"arguments": read}).decode()


def _calls_as_text(calls: list[dict[str, Any]]) -> str:
    return "\n".join(
        '{"name": '
        + orjson.dumps(call["function"]["name"]).decode()
        + ', "parameters": '
        + call["function"]["arguments"]
        + "}"
        for call in calls
    )
