"""What `POST /v1/responses` accepts, and what it says of what it does not. Pure.

Comes in: the parsed body. Goes out: a ResponsesRequest whose known fields have OpenAI's types.
Nothing is kept between requests, so what refers to an earlier one is refused. Raises BadRequest
naming the `param`.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request import EFFORTS, check_picture_url, check_settings
from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value

ROLES = ("user", "assistant", "system", "developer")
ITEM_TYPES = ("message", "function_call", "function_call_output", "reasoning")
PART_TYPES = ("input_text", "output_text", "text", "refusal", "input_image", "input_file")
SUMMARIES = ("auto", "concise", "detailed")
LOGPROBS = "message.output_text.logprobs"
MAX_METADATA = 16

Items = list[dict[str, Any]]


@dataclass(slots=True)
class ResponsesRequest:
    """The request's fields; `settings` holds those that are passed on as they are."""

    model: str
    items: Items
    stream: bool = False
    instructions: str | None = None
    tools: Items = field(default_factory=list)
    tool_choice: Any = "auto"
    parallel_tool_calls: bool | None = None
    text_format: dict[str, Any] = field(default_factory=lambda: {"type": "text"})
    verbosity: str | None = None
    effort: str | None = None
    summary: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    wants_logprobs: bool = False
    truncation: str = "disabled"
    metadata: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    safety_identifier: str | None = None
    cache_key: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


# Fields with a place of their own in ResponsesRequest, or none at all upstream.
_PLACED = frozenset(
    {
        *("model", "input", "stream", "stream_options", "instructions", "tools", "tool_choice"),
        *("parallel_tool_calls", "text", "reasoning", "max_output_tokens", "max_tool_calls"),
        *("temperature", "top_p", "top_logprobs", "include", "metadata", "user", "store"),
        *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"),
        *("prompt_cache_options", "truncation", "previous_response_id", "conversation", "prompt"),
        *("background", "background_options", "context_management", "client_metadata"),
        # Names of chat's request, which this endpoint has other words for.
        *("messages", "functions", "function_call", "response_format", "max_tokens", "stop", "n"),
        *("max_completion_tokens", "reasoning_effort", "logprobs", "verbosity"),
    }
)


def read(body: dict[str, Any]) -> ResponsesRequest:
    """The request in `body`; raises BadRequest."""
    model = fields.text(body, "model", required=True) or ""
    _refuse_what_needs_a_memory(body)
    tools = _tools(body)
    text = fields.mapping(body, "text") or {}
    effort, summary = _reasoning(body)
    fields.mapping(body, "stream_options")
    fields.boolean(body, "store")
    fields.text(body, "service_tier")
    fields.text(body, "prompt_cache_retention")
    check_settings({name: value for name, value in body.items() if name not in _PLACED})
    return ResponsesRequest(
        model=model,
        items=_items(body),
        stream=bool(fields.boolean(body, "stream")),
        instructions=fields.text(body, "instructions"),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        parallel_tool_calls=fields.boolean(body, "parallel_tool_calls"),
        text_format=_text_format(text),
        verbosity=_inner_choice(text, "text", "verbosity", ("low", "medium", "high")),
        effort=effort,
        summary=summary,
        max_output_tokens=fields.whole_number(body, "max_output_tokens", low=1),
        max_tool_calls=fields.whole_number(body, "max_tool_calls", low=1),
        temperature=fields.number(body, "temperature", 0, 5),
        top_p=fields.number(body, "top_p", 0, 1),
        top_logprobs=fields.whole_number(body, "top_logprobs", 0, 20),
        wants_logprobs=_wants_logprobs(body),
        truncation=fields.choice(body, "truncation", ("auto", "disabled")) or "disabled",
        metadata=_metadata(body),
        user=fields.text(body, "user") or "",
        safety_identifier=fields.text(body, "safety_identifier"),
        cache_key=fields.text(body, "prompt_cache_key") or "",
        settings={
            name: value for name, value in body.items() if name not in _PLACED and value is not None
        },
    )


def _refuse_what_needs_a_memory(body: dict[str, Any]) -> None:
    for name in ("previous_response_id", "conversation"):
        if body.get(name) is not None:
            raise BadRequest(
                f"'{name}' is not supported: this gateway keeps no responses. "
                "Send the earlier items in 'input' instead.",
                param=name,
                code="unsupported_parameter",
            )
    if body.get("prompt") is not None:
        raise BadRequest(
            "'prompt' is not supported: this gateway keeps no prompt templates. "
            "Send 'instructions' and 'input' instead.",
            param="prompt",
            code="unsupported_parameter",
        )
    if fields.boolean(body, "background"):
        raise BadRequest(
            "'background' is not supported: this gateway keeps no responses to be fetched later.",
            param="background",
            code="unsupported_parameter",
        )


# --- Input ------------------------------------------------------------------------------------


def _items(body: dict[str, Any]) -> Items:
    given = body.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise wrong_type("input", "a string or an array of items", given)
    if not given:
        raise BadRequest(
            "Invalid 'input': empty array. Expected a string or an array with at least one item.",
            param="input",
            code="empty_array",
        )
    calls: set[str] = set()
    for position, item in enumerate(given):
        _check_item(item, f"input[{position}]", calls)
    return given


def _check_item(item: Any, at: str, calls: set[str]) -> None:
    if not isinstance(item, dict):
        raise wrong_type(at, "an object", item)
    kind = item.get("type") or "message"
    if kind == "item_reference":
        raise BadRequest(
            f"'{at}' refers to a stored item, and this gateway stores none: send the item itself.",
            param=at,
            code="unsupported_value",
        )
    if kind not in ITEM_TYPES:
        raise wrong_value(f"{at}.type", one_of(ITEM_TYPES), kind)
    if kind == "message":
        _check_message(item, at)
    elif kind == "reasoning":
        for group in ("summary", "content"):
            for number, part in enumerate(_inner_sequence(item, at, group)):
                if not isinstance(part, dict) or not isinstance(part.get("text"), str):
                    raise wrong_type(f"{at}.{group}[{number}].text", "a string", part)
    else:
        call_id = _inner_text(item, at, "call_id")
        if kind == "function_call":
            _inner_text(item, at, "name")
            _inner_text(item, at, "arguments", may_be_empty=True)
            calls.add(call_id)
        else:
            _check_output(item, at)
            if call_id not in calls:
                raise BadRequest(
                    "No tool call found for function call output with call_id "
                    f"'{call_id[:60]}': the 'function_call' item must stand before it.",
                    param=at,
                    code="invalid_value",
                )


def _check_message(item: dict[str, Any], at: str) -> None:
    role = item.get("role")
    if role is None:
        raise missing(f"{at}.role")
    if role not in ROLES:
        raise wrong_value(f"{at}.role", one_of(ROLES), role)
    content = item.get("content")
    if content is None:
        raise missing(f"{at}.content")
    _check_content(content, f"{at}.content")


def _check_output(item: dict[str, Any], at: str) -> None:
    output = item.get("output")
    if output is None:
        raise missing(f"{at}.output")
    _check_content(output, f"{at}.output")


def _check_content(content: Any, at: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(at, "a string or an array of parts", content)
    for number, part in enumerate(content):
        _check_part(part, f"{at}[{number}]")


def _check_part(part: Any, at: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(at, "an object", part)
    kind = part.get("type")
    if kind not in PART_TYPES:
        raise wrong_value(f"{at}.type", one_of(PART_TYPES), kind)
    if kind in ("input_image", "input_file"):
        if part.get("file_id") is not None:
            raise BadRequest(
                f"'{at}.file_id' is not supported: this gateway keeps no files. "
                "Send the data itself.",
                param=f"{at}.file_id",
                code="unsupported_parameter",
            )
        if kind == "input_image":
            url = _inner_text(part, at, "image_url")
            check_picture_url(url, f"{at}.image_url")
        else:
            _inner_text(part, at, "file_data")
    else:
        _inner_text(part, at, "refusal" if kind == "refusal" else "text", may_be_empty=True)


def _inner_text(holder: dict[str, Any], at: str, name: str, *, may_be_empty: bool = False) -> str:
    value = holder.get(name)
    if value is None:
        raise missing(f"{at}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    if not value and not may_be_empty:
        raise wrong_value(f"{at}.{name}", "a string that is not empty", value)
    return value


def _inner_sequence(holder: dict[str, Any], at: str, name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(f"{at}.{name}", "an array", value)
    return value


def _inner_choice(
    holder: dict[str, Any], at: str, name: str, choices: tuple[str, ...]
) -> str | None:
    value = holder.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    if value not in choices:
        raise wrong_value(f"{at}.{name}", one_of(choices), value)
    return value


# --- Tools ------------------------------------------------------------------------------------


def _tools(body: dict[str, Any]) -> Items:
    tools = fields.sequence(body, "tools") or []
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        kind = tool.get("type")
        if kind is None:
            raise missing(f"{at}.type")
        if kind != "function":
            raise BadRequest(
                f"Unsupported tool '{kind}' in '{at}': this gateway runs no tools of its own. "
                "It takes tools of type 'function'.",
                param=f"{at}.type",
                code="unsupported_value",
            )
        _inner_text(tool, at, "name")
        if tool.get("description") is not None:
            _inner_text(tool, at, "description", may_be_empty=True)
        parameters = tool.get("parameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise wrong_type(f"{at}.parameters", "an object", parameters)
        strict = tool.get("strict")
        if strict is not None and not isinstance(strict, bool):
            raise wrong_type(f"{at}.strict", "a boolean", strict)
    return tools


def _tool_choice(choice: Any, tools: Items) -> Any:
    if choice is None:
        return "auto"
    names = {tool["name"] for tool in tools}
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise wrong_value("tool_choice", "'none', 'auto', 'required' or an object", choice)
        forces = choice == "required"
    elif isinstance(choice, dict):
        kind = choice.get("type")
        if kind == "function":
            name = _inner_text(choice, "tool_choice", "name")
            if tools and name not in names:
                raise wrong_value("tool_choice.name", one_of(sorted(names)), name)
            forces = True
        elif kind == "allowed_tools":
            _check_allowed(choice, names)
            forces = choice.get("mode") == "required"
        else:
            raise wrong_value("tool_choice.type", "'function' or 'allowed_tools'", kind)
    else:
        raise wrong_type("tool_choice", "a string or an object", choice)
    if forces and not tools:
        raise BadRequest(
            "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
        )
    return choice


def _check_allowed(choice: dict[str, Any], names: set[str]) -> None:
    _inner_choice(choice, "tool_choice", "mode", ("auto", "required"))
    allowed = _inner_sequence(choice, "tool_choice", "tools")
    if not allowed:
        raise missing("tool_choice.tools")
    for number, tool in enumerate(allowed):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str) or name not in names:
            at = f"tool_choice.tools[{number}].name"
            raise wrong_value(at, "the name of one of 'tools'", name)


# --- The rest ---------------------------------------------------------------------------------


def _text_format(text: dict[str, Any]) -> dict[str, Any]:
    wanted = text.get("format")
    if wanted is None:
        return {"type": "text"}
    if not isinstance(wanted, dict):
        raise wrong_type("text.format", "an object", wanted)
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong_value("text.format.type", "'text', 'json_object' or 'json_schema'", kind)
    if kind == "json_schema":
        _inner_text(wanted, "text.format", "name")
        schema = wanted.get("schema")
        if schema is None:
            raise missing("text.format.schema")
        if not isinstance(schema, dict):
            raise wrong_type("text.format.schema", "an object", schema)
    return wanted


def _reasoning(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """(effort, summary)"""
    reasoning = fields.mapping(body, "reasoning") or {}
    effort = _inner_choice(reasoning, "reasoning", "effort", EFFORTS)
    summary = _inner_choice(reasoning, "reasoning", "summary", (*SUMMARIES, "none"))
    older = _inner_choice(reasoning, "reasoning", "generate_summary", SUMMARIES)
    summary = summary or older
    return effort, None if summary == "none" else summary


def _wants_logprobs(body: dict[str, Any]) -> bool:
    included = fields.sequence(body, "include") or []
    for number, name in enumerate(included):
        if not isinstance(name, str):
            raise wrong_type(f"include[{number}]", "a string", name)
    return LOGPROBS in included


def _metadata(body: dict[str, Any]) -> dict[str, Any]:
    metadata = fields.mapping(body, "metadata") or {}
    if len(metadata) > MAX_METADATA:
        raise wrong_value("metadata", f"at most {MAX_METADATA} pairs", len(metadata))
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{name}", "a string", value)
    return metadata
