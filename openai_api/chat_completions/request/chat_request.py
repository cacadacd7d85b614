"""What `POST /v1/chat/completions` accepts, and what it says of what it does not. Pure.

Comes in: the parsed body. Goes out: a ChatRequest whose known fields have OpenAI's types. Fields
that nobody knows are kept: upstream ignores or uses them. Raises BadRequest naming the `param`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.fields import kind_of, missing, one_of, wrong_type, wrong_value

SPEAKERS = ("user", "assistant", "system", "developer")
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
PART_TYPES = ("text", "image_url", "input_audio", "file", "refusal")
MAX_STOPS = 16
PICTURE_TYPES = ("image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(slots=True)
class ChatRequest:
    """The request's fields; `settings` holds all but those that have a place of their own here."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    legacy_functions: bool = False
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    stops: tuple[str, ...] = ()
    user: str = ""
    cache_key: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


# Fields with a place of their own in ChatRequest, or none at all upstream.
_PLACED = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("tools", "tool_choice", "functions", "function_call", "response_format"),
        *("reasoning_effort", "reasoning", "user", "prompt_cache_key", "stop"),
    }
)


def read(body: dict[str, Any]) -> ChatRequest:
    """The request in `body`; raises BadRequest."""
    model = fields.text(body, "model", required=True) or ""
    tools, tool_choice, legacy = _tools(body)
    options = fields.mapping(body, "stream_options") or {}
    include_usage = options.get("include_usage")
    if include_usage is not None and not isinstance(include_usage, bool):
        raise wrong_type("stream_options.include_usage", "a boolean", include_usage)
    limit = fields.whole_number(body, "max_completion_tokens", low=1)
    older_limit = fields.whole_number(body, "max_tokens", low=1)
    check_settings(body)
    return ChatRequest(
        model=model,
        messages=_messages(body),
        stream=bool(fields.boolean(body, "stream")),
        include_usage=bool(include_usage),
        max_tokens=limit if limit is not None else older_limit,
        tools=tools,
        tool_choice=tool_choice,
        legacy_functions=legacy,
        response_format=_response_format(body),
        reasoning_effort=_reasoning_effort(body),
        stops=_stops(body),
        user=fields.text(body, "user") or "",
        cache_key=fields.text(body, "prompt_cache_key") or "",
        settings={
            name: value for name, value in body.items() if name not in _PLACED and value is not None
        },
    )


_Body = dict[str, Any]
_SETTINGS: dict[str, Callable[[_Body], object]] = {
    "temperature": lambda body: fields.number(body, "temperature", 0, 5),
    "top_p": lambda body: fields.number(body, "top_p", 0, 1),
    "top_k": lambda body: fields.whole_number(body, "top_k"),
    "n": lambda body: fields.whole_number(body, "n", 1, 128),
    "seed": lambda body: fields.whole_number(body, "seed", -(2**63), 2**63 - 1),
    "presence_penalty": lambda body: fields.number(body, "presence_penalty", -2, 2),
    "frequency_penalty": lambda body: fields.number(body, "frequency_penalty", -2, 2),
    "repetition_penalty": lambda body: fields.number(body, "repetition_penalty", 0),
    "logprobs": lambda body: fields.boolean(body, "logprobs"),
    "top_logprobs": lambda body: fields.whole_number(body, "top_logprobs", 0, 20),
    "logit_bias": lambda body: fields.mapping(body, "logit_bias"),
    "metadata": lambda body: fields.mapping(body, "metadata"),
    "parallel_tool_calls": lambda body: fields.boolean(body, "parallel_tool_calls"),
    "store": lambda body: fields.boolean(body, "store"),
    "service_tier": lambda body: fields.text(body, "service_tier"),
    "chat_template_kwargs": lambda body: fields.mapping(body, "chat_template_kwargs"),
    "modalities": lambda body: fields.sequence(body, "modalities"),
    "audio": lambda body: fields.mapping(body, "audio"),
    "prediction": lambda body: fields.mapping(body, "prediction"),
    "web_search_options": lambda body: fields.mapping(body, "web_search_options"),
}


def check_settings(body: _Body) -> None:
    """The types of the fields that are passed on as they are. A request sends few of them."""
    for name in body:
        check = _SETTINGS.get(name)
        if check is not None:
            check(body)


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop")
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,) if stop else ()
    if not isinstance(stop, list):
        raise wrong_type("stop", "a string or an array of strings", stop)
    for position, item in enumerate(stop):
        if not isinstance(item, str):
            raise wrong_type(f"stop[{position}]", "a string", item)
    if len(stop) > MAX_STOPS:
        raise wrong_value("stop", f"at most {MAX_STOPS} strings", len(stop))
    return tuple(item for item in stop if item)


def _reasoning_effort(body: dict[str, Any]) -> str | None:
    """`reasoning_effort`, or OpenRouter's `reasoning` object."""
    effort = fields.choice(body, "reasoning_effort", EFFORTS)
    reasoning = fields.mapping(body, "reasoning")
    if effort is not None or reasoning is None:
        return effort
    if reasoning.get("enabled") is False:
        return "none"
    effort = reasoning.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise wrong_value("reasoning.effort", one_of(EFFORTS), effort)
    return effort


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = fields.filled_sequence(body, "messages", "message")
    for position, message in enumerate(messages):
        if not says_only_text(message):
            _check_message(message, f"messages[{position}]")
    return messages


def says_only_text(message: Any) -> bool:
    """Whether it has a speaker, a text and no other field, as nearly all messages: then it is
    right, and there is nothing in it to translate but the speaker.
    """
    return (
        isinstance(message, dict)
        and len(message) == 2
        and isinstance(message.get("content"), str)
        and message.get("role") in SPEAKERS
    )


def _check_message(message: Any, at: str) -> None:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object", message)
    role = message.get("role")
    if role is None:
        raise missing(f"{at}.role")
    if role not in ROLES:
        raise wrong_value(f"{at}.role", one_of(ROLES), role)
    content = message.get("content")
    if isinstance(content, list):
        for number, part in enumerate(content):
            _check_part(part, f"{at}.content[{number}]")
    elif content is None:
        if role not in ("assistant", "function"):
            if "content" in message:
                raise wrong_type(f"{at}.content", "a string or an array of parts", content)
            raise missing(f"{at}.content")
    elif not isinstance(content, str):
        raise wrong_type(f"{at}.content", "a string or an array of parts", content)
    _check_calls(message.get("tool_calls"), f"{at}.tool_calls")
    call = message.get("function_call")
    if call is not None:
        _check_called(call, f"{at}.function_call")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{at}.tool_call_id")


def _check_part(part: Any, at: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(at, "an object", part)
    kind = part.get("type")
    if kind not in PART_TYPES:
        raise wrong_value(f"{at}.type", one_of(PART_TYPES), kind)
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
    """A picture is an http(s) URL or a base64 data URL of a format that the models read."""
    scheme = url[:30].partition(":")[0].lower()
    if scheme in ("http", "https"):
        return
    # Not `partition`, which copies the picture.
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


def _check_calls(calls: Any, at: str) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        raise wrong_type(at, "an array", calls)
    for number, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        _check_called(function, f"{at}[{number}].function")
        if call.get("id") is not None and not isinstance(call["id"], str):
            raise wrong_type(f"{at}[{number}].id", "a string", call["id"])


def _check_called(function: Any, at: str) -> None:
    """A function that an earlier answer called."""
    if not isinstance(function, dict):
        raise wrong_type(at, "an object", function)
    if not isinstance(function.get("name"), str):
        raise wrong_type(f"{at}.name", "a string", function.get("name"))
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        raise wrong_type(f"{at}.arguments", "a string", arguments)


def _tools(body: dict[str, Any]) -> tuple[list[dict[str, Any]], Any, bool]:
    """(tools, tool_choice, whether the client spoke the older `functions`)."""
    tools = fields.sequence(body, "tools")
    functions = fields.sequence(body, "functions")
    if functions and not tools:
        for number, function in enumerate(functions):
            _check_function(function, f"functions[{number}]")
        call = body.get("function_call")
        if isinstance(call, dict):
            call = {"type": "function", "function": {"name": call.get("name")}}
        return [{"type": "function", "function": f} for f in functions], call, True
    for number, tool in enumerate(tools or []):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        if tool.get("type", "function") != "function":
            raise wrong_value(f"{at}.type", "'function'", tool.get("type"))
        _check_function(tool.get("function", tool if "name" in tool else None), f"{at}.function")
    return tools or [], _tool_choice(body.get("tool_choice"), tools or []), False


def _check_function(function: Any, at: str) -> None:
    if function is None:
        raise missing(at)
    if not isinstance(function, dict):
        raise wrong_type(at, "an object", function)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise missing(f"{at}.name") if name is None else wrong_type(f"{at}.name", "a string", name)
    description = function.get("description")
    if description is not None and not isinstance(description, str | bool):
        raise wrong_type(f"{at}.description", "a string", description)
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong_type(f"{at}.parameters", "an object", parameters)


def _tool_choice(choice: Any, tools: list[dict[str, Any]]) -> Any:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required", "any"):
            raise wrong_value("tool_choice", "'none', 'auto', 'required' or a function", choice)
    elif isinstance(choice, dict):
        if choice.get("type", "function") == "function":
            function = choice.get("function")
            name = function.get("name") if isinstance(function, dict) else choice.get("name")
            if not isinstance(name, str):
                raise missing("tool_choice.function.name")
    else:
        raise wrong_type("tool_choice", "a string or an object", choice)
    forces = choice not in ("none", "auto")
    if forces and not tools:
        raise BadRequest(
            "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
        )
    return choice


def _response_format(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = fields.mapping(body, "response_format")
    if wanted is None:
        return None
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong_value("response_format.type", "'text', 'json_object' or 'json_schema'", kind)
    if kind == "json_schema":
        schema = wanted.get("json_schema")
        if not isinstance(schema, dict):
            if schema is None:
                raise missing("response_format.json_schema")
            raise BadRequest(
                f"'response_format.json_schema' must be an object, not {kind_of(schema)}.",
                param="response_format.json_schema",
                code="invalid_type",
            )
    return None if kind == "text" else wanted
