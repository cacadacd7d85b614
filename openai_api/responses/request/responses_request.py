"""What `POST /v1/responses` accepts, and the error for what it does not. Pure.

Comes in: the parsed body. Goes out: a ResponsesRequest whose known fields have OpenAI's types.
Nothing is kept between requests, so what refers to an earlier one is refused. Raises BadRequest
naming the `param`.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request import EFFORTS, checked_settings
from openai_api.errors import BadRequest
from openai_api.responses.request.items import Items, is_dropped, items_of
from openai_api.responses.request.offered import Tools
from openai_api.responses.request.tool_choice import Chosen, chosen_of
from openai_api.responses.request.tools import tools_of
from openai_api.wire import fields, nested_fields
from openai_api.wire.fields import missing, wrong_type, wrong_value

SUMMARIES = ("auto", "concise", "detailed")
LOGPROBS = "message.output_text.logprobs"
SEALED_THOUGHTS = "reasoning.encrypted_content"
MAX_METADATA = 16


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
    chosen: Chosen = field(default_factory=lambda: Chosen([], "auto"))
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


# Fields that have an attribute in ResponsesRequest, or that upstream does not have.
_PLACED = frozenset(
    {
        *("model", "input", "stream", "stream_options", "instructions", "tools", "tool_choice"),
        *("parallel_tool_calls", "text", "reasoning", "max_output_tokens", "max_tool_calls"),
        *("temperature", "top_p", "top_logprobs", "include", "metadata", "user", "store"),
        *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"),
        *("prompt_cache_options", "truncation", "previous_response_id", "conversation", "prompt"),
        *("background", "background_options", "context_management", "client_metadata"),
        # Fields of a chat request that have another name here.
        *("messages", "functions", "function_call", "response_format", "max_tokens", "stop", "n"),
        *("max_completion_tokens", "reasoning_effort", "logprobs", "verbosity"),
    }
)


# Compaction at the server, and a judgement beside the answer.
_LEFT_OUT = ("context_management", "moderation")


def read(body: dict[str, Any]) -> ResponsesRequest:
    """The request in `body`; raises BadRequest."""
    model = fields.text(body, "model", required=True) or ""
    _refuse_what_needs_a_memory(body)
    tools = tools_of(body)
    text = fields.mapping(body, "text") or {}
    effort, summary = _reasoning(body)
    fields.mapping(body, "stream_options")
    fields.text(body, "service_tier")
    fields.text(body, "prompt_cache_retention")
    settings = checked_settings({n: value for n, value in body.items() if n not in _PLACED})
    included = _included(body)
    items = items_of(body)
    choice = body.get("tool_choice")
    return ResponsesRequest(
        model=model,
        items=[item for item in items if not is_dropped(item)],
        stream=bool(fields.boolean(body, "stream")),
        stores=fields.boolean(body, "store") is not False,
        instructions=fields.text(body, "instructions"),
        tools=tools,
        tool_choice="auto" if choice is None else choice,
        chosen=chosen_of(choice, tools),
        ignored=_ignored(tools, items) + fields.asked_for(body, _LEFT_OUT),
        parallel_tool_calls=fields.boolean(body, "parallel_tool_calls"),
        text_format=_text_format(text),
        verbosity=nested_fields.choice(text, "text", "verbosity", ("low", "medium", "high")),
        effort=effort,
        summary=summary,
        max_output_tokens=fields.whole_number(body, "max_output_tokens", low=1),
        max_tool_calls=fields.whole_number(body, "max_tool_calls", low=1),
        temperature=fields.number(body, "temperature", 0, 5),
        top_p=fields.number(body, "top_p", 0, 1),
        top_logprobs=fields.whole_number(body, "top_logprobs", 0, 20),
        wants_logprobs=LOGPROBS in included,
        wants_sealed_thoughts=SEALED_THOUGHTS in included,
        truncation=fields.choice(body, "truncation", ("auto", "disabled")) or "disabled",
        metadata=_metadata(body),
        user=fields.text(body, "user") or "",
        safety_identifier=fields.text(body, "safety_identifier"),
        cache_key=fields.text(body, "prompt_cache_key") or "",
        settings=settings,
    )


def _ignored(tools: Tools, items: Items) -> tuple[str, ...]:
    kinds = (item.get("type") or "item_reference" for item in items if is_dropped(item))
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
    if fields.boolean(body, "background"):
        raise BadRequest(
            "'background' is not supported: this gateway keeps no responses to be fetched later.",
            param="background",
            code="unsupported_parameter",
        )


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
        nested_fields.text(wanted, "text.format", "name")
        schema = wanted.get("schema")
        if schema is None:
            raise missing("text.format.schema")
        if not isinstance(schema, dict):
            raise wrong_type("text.format.schema", "an object", schema)
    return wanted


def _reasoning(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """(effort, summary)"""
    reasoning = fields.mapping(body, "reasoning") or {}
    effort = nested_fields.choice(reasoning, "reasoning", "effort", EFFORTS)
    summary = nested_fields.choice(reasoning, "reasoning", "summary", (*SUMMARIES, "none"))
    older = nested_fields.choice(reasoning, "reasoning", "generate_summary", SUMMARIES)
    summary = summary or older
    return effort, None if summary == "none" else summary


def _included(body: dict[str, Any]) -> list[str]:
    included = fields.sequence(body, "include") or []
    for number, name in enumerate(included):
        if not isinstance(name, str):
            raise wrong_type(f"include[{number}]", "a string", name)
    return included


def _metadata(body: dict[str, Any]) -> dict[str, Any]:
    metadata = fields.mapping(body, "metadata") or {}
    if len(metadata) > MAX_METADATA:
        raise wrong_value("metadata", f"at most {MAX_METADATA} pairs", len(metadata))
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{name}", "a string", value)
    return metadata
