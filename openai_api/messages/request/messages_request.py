"""What `POST /v1/messages` accepts, and the error for what it does not. Pure.

Comes in: the parsed body. Goes out: a MessagesRequest whose known fields have Anthropic's types.
What only tunes Anthropic's own services, such as `cache_control` and `service_tier`, is ignored;
what asks them for more, such as `context_management`, is left out and named to the client; what
they alone can fill in, such as `thread` and `container`, is refused. Raises BadRequest naming the
field.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request import Settings, checked_settings, effort_of_budget
from openai_api.errors import BadRequest
from openai_api.messages.request.messages import EFFORTS, MESSAGES, Blocks, messages_of, system_of
from openai_api.messages.request.tools import (
    TOOL_CHOICE,
    TOOLS,
    changed,
    loaded,
    tool_choice_of,
    tools_of,
)
from openai_api.wire import fields
from openai_api.wire.bounds import MOST_PARTS
from openai_api.wire.declared import (
    Array,
    Boolean,
    Choice,
    Described,
    FilledText,
    Object,
    Text,
    WholeNumber,
    declared,
    reference,
)
from openai_api.wire.fields import wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

DISPLAYS = ("summarized", "omitted", "updates")
MAX_STOPS = 64
# Thinking budgets up to these are low and medium effort.


@dataclass(slots=True)
class MessagesRequest:
    """The request's fields; `settings` holds those that are passed on as they are.

    `effort` is None when the model decides how much it thinks. `shows_thinking`: thoughts are part
    of the answer, and not only of its usage; `omits_thoughts`: without their text.
    """

    model: str
    messages: list[dict[str, Any]]
    max_tokens: int
    stream: bool = False
    system: str | Blocks | None = None
    tools: ToolList[dict[str, Any]] = field(default_factory=ToolList)
    tool_choice: dict[str, Any] | None = None
    effort: str | None = None
    shows_thinking: bool = False
    omits_thoughts: bool = False
    schema: dict[str, Any] | None = None
    stops: tuple[str, ...] = ()
    user: str = ""
    # What was asked for and left out: types of Anthropic's own tools, names of fields.
    ignored: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


_FORMAT = {
    "type": "object",
    "properties": {"type": {"const": "json_schema"}, "schema": {"type": "object"}},
    "required": ["type", "schema"],
}


class Passed:
    """Fields that are passed on under the same name as in a chat."""

    temperature = Settings.temperature
    top_p = Settings.top_p
    top_k = Settings.top_k
    seed = Settings.seed
    chat_template_kwargs = Settings.chat_template_kwargs


class Thinking:
    type = Choice(("enabled", "adaptive", "between_tools", "disabled"), required=True)
    budget_tokens = WholeNumber()
    display = Choice(DISPLAYS)


class OutputConfig:
    effort = Choice(EFFORTS)
    format = Described(_FORMAT)


class Metadata:
    user_id = Text()


class Fields(Passed):
    model = FilledText("The id of a model, or an alias.", examples=["@cf/openai/gpt-oss-120b"])
    max_tokens = WholeNumber(1, required=True)
    messages = MESSAGES
    system = Described(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": reference("AnthropicText"), "maxItems": MOST_PARTS},
            ]
        }
    )
    stream = Boolean("Whether the answer comes as server-sent events.")
    tools = TOOLS
    tool_choice = TOOL_CHOICE
    thinking = Object(
        members=Thinking,
        examples=[{"type": "enabled", "budget_tokens": 1024}],
    )
    output_config = Object(members=OutputConfig)
    output_format = Described(_FORMAT, "The older name of `output_config.format`.")
    stop_sequences = Array(narrowed={"items": {"type": "string"}, "maxItems": MAX_STOPS})
    metadata = Object(members=Metadata)
    service_tier = Text("Ignored.")


_PASSED_ON = tuple(declared(Passed))
# Edits of the conversation at the server, the place of the answer, and other models to try.
_LEFT_OUT = ("context_management", "inference_geo", "fallbacks")

# Fields of chats and of Responses.
_MISPLACED = {
    "stop": "stop_sequences",
    "response_format": "output_config.format",
    "reasoning_effort": "output_config.effort",
    "functions": "tools",
    "instructions": "system",
}

_KEPT_ELSEWHERE = {
    "mcp_servers": "this gateway runs no tools of its own",
    "container": "this gateway runs no code",
    "user_profile_id": "this gateway has no profiles of Anthropic's",
    "previous_message_id": "this gateway keeps no conversations; send all messages",
}


def read(body: dict[str, Any]) -> MessagesRequest:
    """The request in `body`; raises BadRequest."""
    if body.get("compaction") is not None:
        raise BadRequest(
            "'compaction' is not supported: no model here makes compaction blocks. Ask for a "
            "summary in a message of your own.",
            param="compaction",
            code="unsupported_parameter",
        )
    return read_prompt(body, max_tokens=Fields.max_tokens(body) or 1)


def read_prompt(body: dict[str, Any], *, max_tokens: int = 1) -> MessagesRequest:
    """The request in a `body` that needs no limit, as when its tokens are counted."""
    model = Fields.model(body)
    fields.refuse_misplaced(body, _MISPLACED)
    settings = checked_settings({name: body.get(name) for name in _PASSED_ON})
    _refuse_what_is_kept_elsewhere(body)
    tools = tools_of(body)
    thinking = Fields.thinking(body) or {}
    metadata = Fields.metadata(body) or {}
    Fields.service_tier(body)
    messages, left_out = messages_of(body)
    effort, shows_thinking = _thinking(body, messages)
    tools = changed(tools, messages)
    choice = tool_choice_of(body, tools)
    return MessagesRequest(
        model=model,
        messages=messages,
        max_tokens=max_tokens,
        stream=bool(Fields.stream(body)),
        system=system_of(body),
        tools=loaded(tools, choice, messages),
        tool_choice=choice,
        effort=effort,
        shows_thinking=shows_thinking,
        omits_thoughts=thinking.get("display") == "omitted",
        schema=_schema(body),
        stops=_stops(body),
        user=metadata.get("user_id") or "",
        ignored=tools.ignored + left_out + fields.asked_for(body, _LEFT_OUT),
        settings=settings,
    )


def _refuse_what_is_kept_elsewhere(body: dict[str, Any]) -> None:
    """Fields that change what a request means, and that only Anthropic's servers can fill in."""
    if body.get("thread") is not None:
        # The words by which Anthropic's SDKs send the whole conversation instead.
        raise BadRequest(
            "'thread' is not supported: this gateway keeps no conversations. Send all messages.",
            param="thread",
            code="unsupported_parameter",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    for name, why in _KEPT_ELSEWHERE.items():
        if body.get(name):
            raise BadRequest(
                f"'{name}' is not supported: {why}.", param=name, code="unsupported_parameter"
            )


def _effort(body: dict[str, Any], messages: list[dict[str, Any]]) -> str | None:
    """The effort that a system message after the user's last one asks for, or else the body."""
    output = Fields.output_config(body) or {}
    for position in reversed(range(len(messages))):
        message = messages[position]
        if message["role"] == "user":
            break
        said = message.get("output_config") if message["role"] == "system" else None
        if said and said.get("effort") is not None:
            output = said
            break
    return output.get("effort")


def _thinking(body: dict[str, Any], messages: list[dict[str, Any]]) -> tuple[str | None, bool]:
    """(effort, whether thoughts are shown). With neither `thinking` nor an effort the model is not
    to think."""
    effort = _effort(body, messages)
    thinking = Fields.thinking(body)
    if thinking is None:
        return effort or "none", False
    kind = thinking["type"]
    if kind == "disabled":
        return "none", False
    if kind != "enabled":
        return effort, True
    budget = Thinking.budget_tokens(thinking)
    if budget is None:
        return effort, True
    return effort or effort_of_budget(budget), True


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema that the answer has to follow, under the field's present name or its first
    one.
    """
    output = Fields.output_config(body) or {}
    schema = _schema_in(output.get("format"), "output_config.format")
    older = _schema_in(Fields.output_format(body), "output_format")
    return schema if schema is not None else older


def _schema_in(wanted: Any, at: str) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise wrong_type(at, "an object", wanted)
    if wanted.get("type") != "json_schema":
        raise wrong_value(f"{at}.type", "'json_schema'", wanted.get("type"))
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise wrong_type(f"{at}.schema", "an object", schema)
    return schema


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stops = Fields.stop_sequences(body) or []
    return fields.strings(stops, "stop_sequences", most=MAX_STOPS)
