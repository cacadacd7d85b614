"""What `POST /v1/responses` accepts, and the error for what it does not. Pure.

Comes in: the parsed body. Goes out: a ResponsesRequest whose known fields have OpenAI's types.
Nothing is kept between requests, so what refers to an earlier one is refused. Raises BadRequest
naming the `param`.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request import EFFORTS, Settings, checked_settings
from openai_api.errors import BadRequest
from openai_api.responses.request.items import (
    Items,
    changes_the_body,
    items_of,
    said_and_dropped,
    tools_in,
    updated,
)
from openai_api.responses.request.offered import Tools
from openai_api.responses.request.tool_choice import Chosen, chosen_of
from openai_api.responses.request.tools import TOOLS, tools_of
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import MOST_MESSAGES
from openai_api.wire.declared import (
    NOT_TAKEN,
    Array,
    Boolean,
    Choice,
    Described,
    Field,
    FilledText,
    Number,
    Object,
    Text,
    WholeNumber,
    declared,
    reference,
)
from openai_api.wire.fields import missing, wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

SUMMARIES = ("auto", "concise", "detailed")
LOGPROBS = "message.output_text.logprobs"
SEALED_THOUGHTS = "reasoning.encrypted_content"
MAX_METADATA = 16
_NO_MEMORY = "Not supported: this gateway keeps no responses. Send the earlier items."


@dataclass(slots=True)
class ResponsesRequest:
    """The request's fields; `settings` holds those that are passed on as they are."""

    model: str
    items: Items
    stream: bool = False
    stores: bool = True  # whether the caller may refer to the answer's items
    instructions: str | None = None
    tools: Tools = field(default_factory=Tools)
    # As the caller wrote it, and what it comes to.
    tool_choice: Any = "auto"
    chosen: Chosen = field(default_factory=lambda: Chosen(ToolList(), "auto"))
    # Types of tools and items that were left out.
    ignored: tuple[str, ...] = ()
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
    wants_sealed_thoughts: bool = False
    truncation: str = "disabled"
    metadata: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    safety_identifier: str | None = None
    cache_key: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


class TextOptions:
    format = Described(reference("ResponseTextFormat"))
    verbosity = Choice(("low", "medium", "high"))


class Reasoning:
    effort = Choice(EFFORTS)
    summary = Choice((*SUMMARIES, "none"))
    generate_summary = Choice(SUMMARIES)


class Fields:
    """Fields that have an attribute in ResponsesRequest, or that upstream does not have."""

    model = FilledText("The id of a model, or an alias.", examples=["@cf/openai/gpt-oss-120b"])
    input = Described(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MOST_MESSAGES,
                    "items": reference("ResponseInputItem"),
                },
            ]
        },
        "A text, or the items of the conversation.",
        required=True,
        examples=["Say hello.", [{"role": "user", "content": "Say hello."}]],
    )
    stream = Boolean("Whether the answer comes as server-sent events.")
    stream_options = Object("Ignored.")
    instructions = Text()
    tools = TOOLS
    tool_choice = Described(reference("ResponseToolChoice"), examples=["auto"])
    parallel_tool_calls = Boolean()
    text = Object(members=TextOptions)
    reasoning = Object(members=Reasoning)
    max_output_tokens = WholeNumber(1, about="Left out: as many as the window leaves.")
    max_tokens = WholeNumber(1, about="The name in chats of `max_output_tokens`.")
    max_completion_tokens = WholeNumber(1, about="The same.")
    max_tool_calls = WholeNumber(1)
    temperature = Number(0, 5)
    top_p = Number(0, 1)
    top_logprobs = WholeNumber(0, 20)
    include = Array(
        f"`{SEALED_THOUGHTS}` and `{LOGPROBS}` are given.",
        narrowed={"items": {"type": "string"}},
        examples=[[SEALED_THOUGHTS]],
    )
    metadata = Object(
        narrowed={"maxProperties": MAX_METADATA, "additionalProperties": {"type": "string"}}
    )
    user = Text("A person behind the key, for the log and for limits of each user.")
    store = Boolean(
        "Nothing is stored. Unless it is false, items of the answer may be referred to for a while."
    )
    safety_identifier = Text()
    prompt_cache_key = Text("Names the conversation, so that prompt caching works.")
    prompt_cache_retention = Text("Ignored.")
    service_tier = Text("Ignored.")
    truncation = Choice(("auto", "disabled"))
    background = Boolean("Not supported: only false is taken.", narrowed={"enum": [False]})
    previous_response_id = Described(NOT_TAKEN, _NO_MEMORY)
    conversation = Described(NOT_TAKEN, _NO_MEMORY)
    prompt = Described(NOT_TAKEN, "Not supported: this gateway keeps no prompt templates.")


_PLACED = frozenset(
    {
        *declared(Fields),
        *("prompt_cache_options", "background_options", "context_management", "client_metadata"),
        *("access_programs", "image", "generate"),
        # Fields of a chat request that have another name here.
        *("messages", "functions", "function_call", "response_format", "stop", "n"),
        *("reasoning_effort", "logprobs", "verbosity"),
    }
)


def settings_fields() -> dict[str, Field]:
    """The fields of a chat that are passed on from a response's request too."""
    return {name: known for name, known in declared(Settings).items() if name not in _PLACED}


# Fields of chats and of Messages.
_MISPLACED = {
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "functions": "tools",
    "system": "instructions",
    "messages": "input",
    "stop": "chat completions, which know stop sequences",
    "stop_sequences": "chat completions, which know stop sequences",
}
# Compaction at the server, and a judgement beside the answer.
_LEFT_OUT = ("context_management", "moderation")


def read(body: dict[str, Any]) -> ResponsesRequest:
    """The request in `body`; raises BadRequest."""
    model = Fields.model(body)
    _refuse_what_needs_a_memory(body)
    fields.refuse_misplaced(body, _MISPLACED)
    items = items_of(body)
    later: list[tuple[Any, str]] = []
    if changes_the_body(items):
        _text_format(body)
        _reasoning(body)
        body, later = updated(body, items), tools_in(items)
    tools = tools_of(body, later)
    text = Fields.text(body) or {}
    effort, summary = _reasoning(body)
    Fields.stream_options(body)
    Fields.service_tier(body)
    Fields.prompt_cache_retention(body)
    settings = checked_settings({n: value for n, value in body.items() if n not in _PLACED})
    included = _included(body)
    choice = body.get("tool_choice")
    said, dropped = said_and_dropped(items)
    return ResponsesRequest(
        model=model,
        items=said,
        stream=bool(Fields.stream(body)),
        stores=Fields.store(body) is not False,
        instructions=Fields.instructions(body),
        tools=tools,
        tool_choice="auto" if choice is None else choice,
        chosen=chosen_of(choice, tools),
        ignored=_ignored(tools, dropped) + fields.asked_for(body, _LEFT_OUT),
        parallel_tool_calls=Fields.parallel_tool_calls(body),
        text_format=_text_format(body),
        verbosity=text.get("verbosity"),
        effort=effort,
        summary=summary,
        max_output_tokens=_limit(body),
        max_tool_calls=Fields.max_tool_calls(body),
        temperature=Fields.temperature(body),
        top_p=Fields.top_p(body),
        top_logprobs=Fields.top_logprobs(body),
        wants_logprobs=LOGPROBS in included,
        wants_sealed_thoughts=SEALED_THOUGHTS in included,
        truncation=Fields.truncation(body) or "disabled",
        metadata=_metadata(body),
        user=Fields.user(body) or "",
        safety_identifier=Fields.safety_identifier(body),
        cache_key=Fields.prompt_cache_key(body) or "",
        settings=settings,
    )


def _ignored(tools: Tools, dropped: Items) -> tuple[str, ...]:
    kinds = (item.get("type") or "item_reference" for item in dropped)
    return tuple(dict.fromkeys((*tools.ignored, *kinds)))


def _refuse_what_needs_a_memory(body: dict[str, Any]) -> None:
    for name in ("previous_response_id", "conversation"):
        if body.get(name) is not None:
            raise BadRequest(
                f"'{name}' is not supported: this gateway keeps no responses. Send the earlier "
                "items in 'input' instead, with 'store' set to false.",
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
    options = body.get("prompt_cache_options")
    if isinstance(options, dict) and options.get("prewarm"):
        raise BadRequest(
            "'prompt_cache_options.prewarm' is not supported: models here read a prompt only to "
            "answer it. Leave it out.",
            param="prompt_cache_options.prewarm",
            code="unsupported_parameter",
        )
    if Fields.background(body):
        raise BadRequest(
            "'background' is not supported: this gateway keeps no responses to be fetched later.",
            param="background",
            code="unsupported_parameter",
        )


def _text_format(body: dict[str, Any]) -> dict[str, Any]:
    wanted = (Fields.text(body) or {}).get("format")
    if wanted is None:
        return {"type": "text"}
    if not isinstance(wanted, dict):
        raise wrong_type("text.format", "an object", wanted)
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong_value("text.format.type", "'text', 'json_object' or 'json_schema'", kind)
    if kind == "json_schema":
        nested_fields.text(wanted, "text.format", "name")
        schema = wanted.get("schema")
        if schema is None:
            raise missing("text.format.schema")
        if not isinstance(schema, dict):
            raise wrong_type("text.format.schema", "an object", schema)
    return wanted


def _reasoning(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """(effort, summary)"""
    reasoning = Fields.reasoning(body) or {}
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return reasoning.get("effort"), None if summary == "none" else summary


def _limit(body: dict[str, Any]) -> int | None:
    limits = (Fields.max_output_tokens, Fields.max_completion_tokens, Fields.max_tokens)
    found = None
    for named in limits:
        limit = named(body)
        found = limit if found is None else found
    return found


def _included(body: dict[str, Any]) -> list[str]:
    included = Fields.include(body) or []
    for number, name in enumerate(included):
        if not isinstance(name, str):
            raise wrong_type(f"include[{number}]", "a string", name)
    return included


def _metadata(body: dict[str, Any]) -> dict[str, Any]:
    metadata = Fields.metadata(body) or {}
    if len(metadata) > MAX_METADATA:
        raise wrong_value("metadata", f"at most {MAX_METADATA} pairs", len(metadata))
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{name}", "a string", value)
    return metadata
