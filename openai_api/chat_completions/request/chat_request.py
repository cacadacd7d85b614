"""What `POST /v1/chat/completions` accepts, and the error for what it does not. Pure.

Comes in: the parsed body. Goes out: a ChatRequest whose known fields have OpenAI's types. Unknown
fields are kept: upstream ignores or uses them. Raises BadRequest naming the `param`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request.messages import messages_of
from openai_api.chat_completions.request.tools import tools_of
from openai_api.errors import BadRequest
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import check_unknown
from openai_api.wire.fields import kind_of, missing, one_of, wrong_type, wrong_value

MAX_STOPS = 16
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(slots=True)
class ChatRequest:
    """The request's fields; `settings` holds all that have no attribute of their own here."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    # In the caller's dialect an answer just ends where the window does, whatever limit was asked.
    limit_may_shrink: bool = False
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    legacy_functions: bool = False
    # Names of the functions that stand for custom tools, in chat's own dialect.
    custom_tools: frozenset[str] = frozenset()
    hides_thoughts: bool = False
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    stops: tuple[str, ...] = ()
    user: str = ""
    cache_key: str = ""
    # What was asked for and left out: types of tools, names of fields.
    ignored: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


# Fields that have an attribute in ChatRequest, or that upstream does not have.
_PLACED = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("tools", "tool_choice", "functions", "function_call", "response_format"),
        *("reasoning_effort", "reasoning", "include_reasoning", "user", "prompt_cache_key"),
        *("stop", "web_search_options"),
    }
)


# OpenAI's search, and OpenRouter's ways to other models and tools.
_LEFT_OUT = ("web_search_options", "plugins", "models")


def read(body: dict[str, Any]) -> ChatRequest:
    """The request in `body`; raises BadRequest."""
    model = fields.text(body, "model", required=True) or ""
    tools = tools_of(body)
    options = fields.mapping(body, "stream_options") or {}
    include_usage = options.get("include_usage")
    if include_usage is not None and not isinstance(include_usage, bool):
        raise wrong_type("stream_options.include_usage", "a boolean", include_usage)
    limit = fields.whole_number(body, "max_completion_tokens", low=1)
    older_limit = fields.whole_number(body, "max_tokens", low=1)
    return ChatRequest(
        model=model,
        messages=messages_of(body),
        stream=bool(fields.boolean(body, "stream")),
        include_usage=bool(include_usage),
        max_tokens=limit if limit is not None else older_limit,
        tools=tools.tools,
        tool_choice=tools.choice,
        legacy_functions=tools.legacy_functions,
        custom_tools=tools.custom,
        hides_thoughts=_hides_thoughts(body),
        response_format=_response_format(body),
        reasoning_effort=_reasoning_effort(body),
        stops=_stops(body),
        user=fields.text(body, "user") or "",
        cache_key=fields.text(body, "prompt_cache_key") or "",
        ignored=tools.ignored + _ignored_fields(body),
        settings=checked_settings(body),
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
}


def checked_settings(given: _Body) -> _Body:
    """Those of the fields that are passed on, each checked; a whole number written as `1.0` is 1.

    A request sends few of them.
    """
    settings: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        check = _SETTINGS.get(name)
        if check is not None:
            settings[name] = check(given)
        elif name not in _PLACED:
            settings[name] = unknown[name] = value
    if unknown:
        check_unknown(unknown)
    return settings


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop")
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,) if stop else ()
    if not isinstance(stop, list):
        raise wrong_type("stop", "a string or an array of strings", stop)
    return fields.strings(stop, "stop", most=MAX_STOPS)


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


def _hides_thoughts(body: dict[str, Any]) -> bool:
    """Whether the caller wants no thoughts: vLLM's `include_reasoning`, OpenRouter's `exclude`."""
    included = fields.boolean(body, "include_reasoning")
    reasoning = fields.mapping(body, "reasoning") or {}
    excluded = nested_fields.boolean(reasoning, "reasoning", "exclude")
    return included is False or bool(excluded)


def _ignored_fields(body: dict[str, Any]) -> tuple[str, ...]:
    """Fields that ask for what no model here does, which is left out as hosted tools are."""
    fields.mapping(body, "web_search_options")
    modalities = fields.sequence(body, "modalities") or ()
    audible = ("modalities",) if "audio" in modalities else ()
    return fields.asked_for(body, _LEFT_OUT) + audible


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
