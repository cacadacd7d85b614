"""What `POST /v1/chat/completions` accepts, and the error for what it does not. Pure.

Comes in: the parsed body. Goes out: a ChatRequest whose known fields have OpenAI's types. Unknown
fields are kept: upstream ignores or uses them. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request.messages import MESSAGES, messages_of
from openai_api.chat_completions.request.thinking import (
    ThinkingFields,
    effort_of,
    hides_thoughts,
    switched,
)
from openai_api.chat_completions.request.tools import FUNCTIONS, TOOLS, tools_of
from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.bounds import check_unknown
from openai_api.wire.declared import (
    Array,
    Boolean,
    Described,
    FilledText,
    Number,
    Object,
    Text,
    WholeNumber,
    declared,
    reference,
)
from openai_api.wire.fields import kind_of, missing, wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

MAX_STOPS = 16


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
    tools: ToolList[dict[str, Any]] = field(default_factory=ToolList)
    tool_choice: Any = None
    legacy_functions: bool = False
    # Names of the functions that stand for custom tools, in chat's own dialect.
    custom_tools: frozenset[str] = frozenset()
    hides_thoughts: bool = False
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    thinks: bool | None = None  # where the request switches thinking on or off
    stops: tuple[str, ...] = ()
    user: str = ""
    cache_key: str = ""
    # What was asked for and left out: types of tools, names of fields.
    ignored: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


class StreamOptions:
    include_usage = Boolean()


class Fields(ThinkingFields):
    """Fields that have an attribute in ChatRequest, or that upstream does not have."""

    model = FilledText("The id of a model, or an alias.", examples=["@cf/openai/gpt-oss-120b"])
    messages = MESSAGES
    stream = Boolean("Whether the answer comes as server-sent events.")
    stream_options = Object(members=StreamOptions)
    max_completion_tokens = WholeNumber(1, about="Left out: as many as the window leaves.")
    max_tokens = WholeNumber(1, about="The older name of `max_completion_tokens`.")
    tools = TOOLS
    tool_choice = Described(reference("ChatToolChoice"), examples=["auto"])
    functions = FUNCTIONS
    function_call = Described(
        {
            "anyOf": [
                {"enum": ["none", "auto"]},
                {
                    "type": "object",
                    "properties": {"name": {"type": "string", "minLength": 1}},
                    "required": ["name"],
                },
            ]
        },
        "The older form of `tool_choice`, used with `functions` alone.",
    )
    response_format = Object(
        narrowed={
            "properties": {"type": {"enum": ["text", "json_object", "json_schema"]}},
            "required": ["type"],
            "if": {"properties": {"type": {"const": "json_schema"}}},
            "then": {
                "properties": {"json_schema": {"type": "object"}},
                "required": ["json_schema"],
            },
        }
    )
    user = Text("A person behind the key, for the log and for limits of each user.")
    prompt_cache_key = Text("Names the conversation, so that prompt caching works.")
    stop = Described(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": MAX_STOPS},
            ]
        }
    )
    web_search_options = Object("Left out: this gateway searches nothing.")


class Settings:
    """Fields that are passed on as they are."""

    temperature = Number(0, 5)
    top_p = Number(0, 1)
    top_k = WholeNumber(about="Below 1: no limit.")
    n = WholeNumber(1, 128)
    seed = WholeNumber(-(2**63), 2**63 - 1)
    presence_penalty = Number(-2, 2)
    frequency_penalty = Number(-2, 2)
    repetition_penalty = Number(0)
    logprobs = Boolean()
    top_logprobs = WholeNumber(0, 20)
    logit_bias = Object()
    metadata = Object()
    parallel_tool_calls = Boolean()
    store = Boolean("Nothing is stored, whatever it says.")
    service_tier = Text()
    chat_template_kwargs = Object()
    modalities = Array("Text alone is answered.")
    audio = Object("Not answered with sound.")
    prediction = Object()


_PLACED = frozenset(declared(Fields))
_SETTINGS: dict[str, Any] = declared(Settings)

# OpenAI's search and judgement, and OpenRouter's ways to other models and tools.
_LEFT_OUT = ("web_search_options", "moderation", "plugins", "models")
# Fields of Responses and of Messages.
_MISPLACED = {
    "instructions": "a message of role 'system'",
    "system": "a message of role 'system'",
    "max_output_tokens": "max_completion_tokens",
    "stop_sequences": "stop",
}


# Those of which most requests have none: then they are not looked for one by one.
_RARE = frozenset(
    {
        *("tools", "tool_choice", "functions", "function_call", "response_format", "stop"),
        *("prompt_cache_key", "modalities", *_LEFT_OUT),
        *declared(ThinkingFields),
        *_MISPLACED,
    }
)


def read(body: dict[str, Any]) -> ChatRequest:
    """The request in `body`; raises BadRequest."""
    limit = Fields.max_completion_tokens(body)
    older_limit = Fields.max_tokens(body)
    asked = ChatRequest(
        model=Fields.model(body),
        messages=messages_of(body),
        stream=bool(Fields.stream(body)),
        max_tokens=limit if limit is not None else older_limit,
        user=Fields.user(body) or "",
        settings=checked_settings(body),
    )
    options = Fields.stream_options(body)
    if options:
        asked.include_usage = bool(options.get("include_usage"))
    if not _RARE.isdisjoint(body):
        _read_rare(asked, body)
    return asked


def _read_rare(asked: ChatRequest, body: dict[str, Any]) -> None:
    fields.refuse_misplaced(body, _MISPLACED)
    tools = tools_of(body)
    asked.tools, asked.tool_choice = tools.tools, tools.choice
    asked.legacy_functions = tools.legacy_functions
    asked.custom_tools = tools.custom
    asked.hides_thoughts = hides_thoughts(body)
    asked.response_format = _response_format(body)
    asked.reasoning_effort = effort_of(body)
    asked.thinks = switched(body)
    asked.stops = _stops(body)
    asked.cache_key = Fields.prompt_cache_key(body) or ""
    asked.ignored = tools.ignored + _ignored_fields(body)


def checked_settings(given: dict[str, Any]) -> dict[str, Any]:
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


def _ignored_fields(body: dict[str, Any]) -> tuple[str, ...]:
    """Fields that ask for what no model here does, which is left out as hosted tools are."""
    Fields.web_search_options(body)
    modalities = Settings.modalities(body) or ()
    audible = ("modalities",) if "audio" in modalities else ()
    return fields.asked_for(body, _LEFT_OUT) + audible


def _response_format(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = Fields.response_format(body)
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
