"""What `POST /v1/messages` accepts, and what it says of what it does not. Pure.

Comes in: the parsed body. Goes out: a MessagesRequest whose known fields have Anthropic's types.
Fields about Anthropic's own services, such as `cache_control` and `container`, are let pass.
Raises BadRequest naming the field.
"""

from dataclasses import dataclass, field
from typing import Any

from openai_api.chat_completions.request import check_picture_url, check_settings
from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value

ROLES = ("user", "assistant", "system")
USER_BLOCKS = ("text", "image", "document", "search_result", "tool_result")
ASSISTANT_BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use")
RESULT_BLOCKS = ("text", "image", "document", "search_result")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
MAX_STOPS = 64
# Thinking budgets up to these are low and medium effort.
LOW_BUDGET_TOKENS, MEDIUM_BUDGET_TOKENS = 2048, 8192

Blocks = list[dict[str, Any]]


@dataclass(slots=True)
class MessagesRequest:
    """The request's fields; `settings` holds those that are passed on as they are.

    `effort` is None when the model decides how much it thinks. `shows_thinking`: thoughts are part
    of the answer, and not only of its usage.
    """

    model: str
    messages: list[dict[str, Any]]
    max_tokens: int
    stream: bool = False
    system: str | Blocks | None = None
    tools: Blocks = field(default_factory=list)
    tool_choice: dict[str, Any] | None = None
    effort: str | None = None
    shows_thinking: bool = False
    schema: dict[str, Any] | None = None
    stops: tuple[str, ...] = ()
    user: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


# What is passed on under the name it has in chat.
_PASSED_ON = ("temperature", "top_p", "top_k", "seed", "chat_template_kwargs")


def read(body: dict[str, Any]) -> MessagesRequest:
    """The request in `body`; raises BadRequest."""
    limit = fields.whole_number(body, "max_tokens", low=1)
    if limit is None:
        raise missing("max_tokens")
    return read_prompt(body, max_tokens=limit)


def read_prompt(body: dict[str, Any], *, max_tokens: int = 1) -> MessagesRequest:
    """The request in a `body` that may do without a limit, as when its tokens are counted."""
    model = fields.text(body, "model", required=True) or ""
    check_settings({name: body.get(name) for name in _PASSED_ON})
    if fields.sequence(body, "mcp_servers"):
        raise BadRequest(
            "'mcp_servers' is not supported: this gateway runs no tools of its own.",
            param="mcp_servers",
            code="unsupported_parameter",
        )
    tools = _tools(body)
    effort, shows_thinking = _thinking(body)
    metadata = fields.mapping(body, "metadata") or {}
    user = metadata.get("user_id")
    if user is not None and not isinstance(user, str):
        raise wrong_type("metadata.user_id", "a string", user)
    fields.text(body, "service_tier")
    return MessagesRequest(
        model=model,
        messages=_messages(body),
        max_tokens=max_tokens,
        stream=bool(fields.boolean(body, "stream")),
        system=_system(body),
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        effort=effort,
        shows_thinking=shows_thinking,
        schema=_schema(body),
        stops=_stops(body),
        user=user or "",
        settings={name: body[name] for name in _PASSED_ON if body.get(name) is not None},
    )


# --- Messages ---------------------------------------------------------------------------------


def _system(body: dict[str, Any]) -> str | Blocks | None:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return system
    if not isinstance(system, list):
        raise wrong_type("system", "a string or an array of text blocks", system)
    for number, block in enumerate(system):
        _check_block(block, f"system[{number}]", ("text",))
    return system


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = fields.filled_sequence(body, "messages", "message")
    calls: set[str] = set()
    for position, message in enumerate(messages):
        _check_message(message, f"messages[{position}]", calls)
    return messages


def _check_message(message: Any, at: str, calls: set[str]) -> None:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object", message)
    role = message.get("role")
    if role is None:
        raise missing(f"{at}.role")
    if role not in ROLES:
        raise wrong_value(f"{at}.role", "'user' or 'assistant'", role)
    content = message.get("content")
    if content is None:
        raise missing(f"{at}.content")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(f"{at}.content", "a string or an array of blocks", content)
    types = ASSISTANT_BLOCKS if role == "assistant" else USER_BLOCKS
    for number, block in enumerate(content):
        inner = f"{at}.content[{number}]"
        _check_block(block, inner, types)
        if block["type"] == "tool_use":
            calls.add(block["id"])
        elif block["type"] == "tool_result" and block["tool_use_id"] not in calls:
            raise BadRequest(
                f"'{inner}' answers the tool_use_id '{block['tool_use_id'][:60]}', "
                "which no 'tool_use' block before it has.",
                param=f"{inner}.tool_use_id",
                code="invalid_value",
            )


def _check_block(block: Any, at: str, types: tuple[str, ...]) -> None:
    if not isinstance(block, dict):
        raise wrong_type(at, "an object", block)
    kind = block.get("type")
    if kind not in types:
        raise wrong_value(f"{at}.type", one_of(types), kind)
    if kind == "text":
        _text(block, at, "text")
    elif kind == "thinking":
        _text(block, at, "thinking")
    elif kind == "image":
        _check_image(block, at)
    elif kind == "document":
        _check_document(block, at)
    elif kind == "search_result":
        _check_texts(block.get("content"), f"{at}.content")
    elif kind == "tool_use":
        for name in ("id", "name"):
            if not _text(block, at, name):
                raise wrong_value(f"{at}.{name}", "a string that is not empty", "")
        if not isinstance(block.get("input"), dict):
            raise wrong_type(f"{at}.input", "an object", block.get("input"))
    elif kind == "tool_result":
        _text(block, at, "tool_use_id")
        content = block.get("content")
        if isinstance(content, list):
            for number, part in enumerate(content):
                _check_block(part, f"{at}.content[{number}]", RESULT_BLOCKS)
        elif content is not None and not isinstance(content, str):
            raise wrong_type(f"{at}.content", "a string or an array of blocks", content)


def _check_image(block: dict[str, Any], at: str) -> None:
    source = _source(block, at, ("base64", "url"))
    if source["type"] == "url":
        check_picture_url(_text(source, f"{at}.source", "url"), f"{at}.source.url")
        return
    media_type = _text(source, f"{at}.source", "media_type")
    data = _text(source, f"{at}.source", "data")
    check_picture_url(f"data:{media_type};base64,{data[:1]}", f"{at}.source")


def _check_document(block: dict[str, Any], at: str) -> None:
    source = _source(block, at, ("text", "content", "base64"))
    if source["type"] == "content":
        _check_texts(source.get("content"), f"{at}.source.content")
        return
    _text(source, f"{at}.source", "data")
    if source["type"] == "base64":
        _text(source, f"{at}.source", "media_type")


def _source(block: dict[str, Any], at: str, types: tuple[str, ...]) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{at}.source", "an object", source)
    kind = source.get("type")
    if kind not in types:
        takes = " or ".join(f"'{t}'" for t in types)
        raise wrong_value(f"{at}.source.type", f"{takes}, as no files are kept here", kind)
    return source


def _check_texts(content: Any, at: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(at, "a string or an array of text blocks", content)
    for number, block in enumerate(content):
        _check_block(block, f"{at}[{number}]", ("text",))


def _text(holder: dict[str, Any], at: str, name: str) -> str:
    value = holder.get(name)
    if value is None:
        raise missing(f"{at}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    return value


# --- Tools ------------------------------------------------------------------------------------


def _tools(body: dict[str, Any]) -> Blocks:
    tools = fields.sequence(body, "tools") or []
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        if tool.get("type", "custom") not in (None, "custom"):
            raise BadRequest(
                f"Unsupported tool '{str(tool['type'])[:60]}' in '{at}': no model here knows "
                "Anthropic's own tools. Describe a tool with 'name' and 'input_schema'.",
                param=f"{at}.type",
                code="unsupported_value",
            )
        if not _text(tool, at, "name"):
            raise wrong_value(f"{at}.name", "a string that is not empty", "")
        if tool.get("description") is not None:
            _text(tool, at, "description")
        schema = tool.get("input_schema")
        if schema is None:
            raise missing(f"{at}.input_schema")
        if not isinstance(schema, dict):
            raise wrong_type(f"{at}.input_schema", "an object", schema)
    return tools


def _tool_choice(body: dict[str, Any], tools: Blocks) -> dict[str, Any] | None:
    choice = fields.mapping(body, "tool_choice")
    if choice is None:
        return None
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise wrong_value("tool_choice.type", "'auto', 'any', 'tool' or 'none'", kind)
    if kind == "tool":
        name = _text(choice, "tool_choice", "name")
        names = [tool["name"] for tool in tools]
        if name not in names:
            raise wrong_value("tool_choice.name", "the name of one of 'tools'", name)
    alone = choice.get("disable_parallel_tool_use")
    if alone is not None and not isinstance(alone, bool):
        raise wrong_type("tool_choice.disable_parallel_tool_use", "a boolean", alone)
    if kind == "any" and not tools:
        raise BadRequest(
            "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
        )
    return choice


# --- The rest ---------------------------------------------------------------------------------


def _thinking(body: dict[str, Any]) -> tuple[str | None, bool]:
    """(effort, whether thoughts are shown). Without `thinking` a model is to answer at once."""
    output = fields.mapping(body, "output_config") or {}
    effort = output.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise wrong_value("output_config.effort", one_of(EFFORTS), effort)
    thinking = fields.mapping(body, "thinking")
    if thinking is None:
        return "none", False
    kind = thinking.get("type")
    if kind not in ("enabled", "adaptive", "between_tools", "disabled"):
        raise wrong_value("thinking.type", "'enabled', 'adaptive' or 'disabled'", kind)
    if kind == "disabled":
        return "none", False
    if kind != "enabled":
        return effort, True
    budget = thinking.get("budget_tokens")
    if budget is None:
        return effort, True
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise wrong_type("thinking.budget_tokens", "an integer", budget)
    if effort is None:
        effort = (
            "low"
            if budget <= LOW_BUDGET_TOKENS
            else "medium"
            if budget <= MEDIUM_BUDGET_TOKENS
            else "high"
        )
    return effort, True


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema that the answer is to follow, under its name of today or its first one."""
    output = fields.mapping(body, "output_config") or {}
    at, wanted = "output_config.format", output.get("format")
    if wanted is None:
        at, wanted = "output_format", body.get("output_format")
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
    stops = fields.sequence(body, "stop_sequences") or []
    for position, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise wrong_type(f"stop_sequences[{position}]", "a string", stop)
    if len(stops) > MAX_STOPS:
        raise wrong_value("stop_sequences", f"at most {MAX_STOPS} strings", len(stops))
    return tuple(stop for stop in stops if stop)
