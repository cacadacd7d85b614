"""The messages of a chat request, checked part by part. Pure."""

from typing import Any

from openai_api.chat_completions.request.results import (
    PICTURE_TYPES,
    as_arguments,
    as_part,
    as_result,
    become_text,
    unknown_part,
    unreadable_picture,
)
from openai_api.errors import BadRequest
from openai_api.wire import nested_fields
from openai_api.wire.bounds import MOST_MESSAGES, MOST_PARTS, MOST_TOOLS, check_number
from openai_api.wire.declared import FilledArray, reference
from openai_api.wire.fields import missing, wrong_type

SPEAKERS = ("user", "assistant", "system", "developer")
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
PART_TYPES = ("text", "image_url", "input_audio", "file", "refusal")

MESSAGES = FilledArray(
    "message",
    "The conversation.",
    narrowed={"maxItems": MOST_MESSAGES, "items": reference("ChatMessage")},
    examples=[[{"role": "user", "content": "Say hello."}]],
)


def messages_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = MESSAGES(body)
    check_number(messages, "messages", MOST_MESSAGES)
    for position, message in enumerate(messages):
        if not _is_usual(message):
            _check_message(message, f"messages[{position}]")
    return messages


def _is_usual(message: Any) -> bool:
    """Whether a message has a text, and beside it who says it, of which call a tool gave it, or
    calls of functions as the gateway gives them, also without a text; and nothing else, as nearly
    all have. Then it is valid.
    """
    # What is parsed has these very types, and `isinstance` takes longer.
    if type(message) is not dict:
        return False
    role, content = message.get("role"), message.get("content", ...)
    if len(message) == 2:
        return type(content) is str and role in SPEAKERS
    if len(message) != 3:
        return False
    if role == "tool":
        return type(content) is str and type(message.get("tool_call_id")) is str
    calls = message.get("tool_calls")
    if role != "assistant" or type(calls) is not list or len(calls) > MOST_TOOLS:
        return False
    return (content is None or type(content) is str) and all(map(is_usual_call, calls))


def is_usual_call(call: Any) -> bool:
    """Whether a call of a function is as the gateway gives them, with nothing else."""
    if type(call) is not dict or len(call) != 3 or call.get("type") != "function":
        return False
    function = call.get("function")
    return (
        type(function) is dict
        and len(function) == 2
        and type(function.get("name")) is str
        and type(function.get("arguments")) is str
        and type(call.get("id")) is str
    )


def have_parts(messages: list[dict[str, Any]]) -> bool:
    """Whether the content of any checked message is in parts; nearly always all is plain text."""
    return list in {type(message.get("content")) for message in messages}


def _check_message(message: Any, at: str) -> None:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object", message)
    role = nested_fields.role(message, at, ROLES)
    is_result = role in ("tool", "function")
    if is_result and "content" in message:
        message["content"] = as_result(message["content"])
    content = message.get("content")
    if isinstance(content, list):
        check_number(content, f"{at}.content", MOST_PARTS)
        if is_result:
            content[:] = map(as_part, content)
        for number, part in enumerate(content):
            if is_result:
                _tell_unreadable(part)
            _check_part(part, f"{at}.content[{number}]")
    elif content is None:
        if role not in ("assistant", "function"):
            if "content" in message:
                raise wrong_type(f"{at}.content", "a string or an array of parts", content)
            raise missing(f"{at}.content")
    elif not isinstance(content, str):
        raise wrong_type(f"{at}.content", "a string or an array of parts", content)
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(calls, f"{at}.tool_calls")
    call = message.get("function_call")
    if call is not None:
        _check_called(call, f"{at}.function_call")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{at}.tool_call_id")


def _tell_unreadable(part: dict[str, Any]) -> None:
    """Replaces, in place, a part of a tool's result that nothing here can read by words."""
    instead = unknown_part(part, PART_TYPES)
    if instead is None and part["type"] == "image_url":
        image = part.get("image_url")
        instead = unreadable_picture(image.get("url") if isinstance(image, dict) else image)
    if instead is not None:
        become_text(part, instead)


def _check_part(part: Any, at: str) -> None:
    kind = nested_fields.kind(part, at, PART_TYPES)
    if kind in ("text", "refusal") and not isinstance(part.get(kind), str):
        raise wrong_type(f"{at}.{kind}", "a string", part.get(kind))
    if kind in ("file", "input_audio") and not isinstance(part.get(kind), dict):
        raise wrong_type(f"{at}.{kind}", "an object", part.get(kind))
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if not isinstance(url, str):
            raise wrong_type(f"{at}.image_url.url", "a string", url)
        check_picture_url(url, f"{at}.image_url.url")


def check_picture_url(url: str, param: str) -> None:
    """Refuses what is no http(s) URL, and no base64 data URL of a format that models read."""
    scheme = url[:30].partition(":")[0].lower()
    if scheme in ("http", "https"):
        return
    # Not `partition`, which would copy the picture.
    comma = url.find(",")
    head, has_data = url[: max(comma, 0)], comma + 1 < len(url)
    if scheme != "data" or not head.lower().endswith(";base64") or not has_data:
        raise BadRequest(
            f"Invalid '{param}': it takes an http(s) URL or a data URL such as "
            "'data:image/png;base64,…'.",
            param=param,
            code="invalid_image_url",
        )
    media_type = head[5:].partition(";")[0].strip().lower()
    if media_type not in PICTURE_TYPES:
        raise BadRequest(
            f"Invalid '{param}': pictures of type '{media_type[:60]}' are read by no model. "
            f"Use one of {', '.join(PICTURE_TYPES)}.",
            param=param,
            code="unsupported_image",
        )


def is_file_url(value: Any) -> bool:
    return isinstance(value, str) and value[:8].lower().startswith(("http://", "https://"))


def check_file_url(url: str, param: str) -> None:
    """Refuses what is no http(s) URL."""
    if is_file_url(url):
        return
    raise BadRequest(
        f"Invalid '{param}': it takes an http(s) URL; send a file itself as base64.",
        param=param,
        code="invalid_document",
    )


def _check_calls(calls: Any, at: str) -> None:
    if not isinstance(calls, list):
        raise wrong_type(at, "an array", calls)
    check_number(calls, at, MOST_TOOLS)
    for number, call in enumerate(calls):
        if is_usual_call(call):
            continue
        if isinstance(call, dict) and call.get("type") == "custom":
            _check_custom_call(call.get("custom"), f"{at}[{number}].custom")
        else:
            function = call.get("function") if isinstance(call, dict) else None
            _check_called(function, f"{at}[{number}].function")
        if call.get("id") is not None and not isinstance(call["id"], str):
            raise wrong_type(f"{at}[{number}].id", "a string", call["id"])


def _check_custom_call(custom: Any, at: str) -> None:
    if not isinstance(custom, dict):
        raise wrong_type(at, "an object", custom)
    nested_fields.text(custom, at, "name")
    nested_fields.text(custom, at, "input", may_be_empty=True)


def _check_called(function: Any, at: str) -> None:
    """Checks a function call of an earlier answer."""
    if not isinstance(function, dict):
        raise wrong_type(at, "an object", function)
    if not isinstance(function.get("name"), str):
        raise wrong_type(f"{at}.name", "a string", function.get("name"))
    arguments = as_arguments(function.get("arguments"))
    if arguments is None:
        return
    if not isinstance(arguments, str):
        raise wrong_type(f"{at}.arguments", "a string", arguments)
    function["arguments"] = arguments
