"""The tools of a Messages request, and which of them the model may or must call. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from openai_api.chat_completions.request import choice_without_tools
from openai_api.errors import BadRequest
from openai_api.messages.request.client_tools import described
from openai_api.messages.request.messages import TOOL_CHANGES, Blocks
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.declared import Array, Boolean, Choice, Object, reference
from openai_api.wire.fields import missing, wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

# Tools that Anthropic runs, or that come as a family of its own models: `web_search_20250305`.
SERVER_TOOLS: Final = (
    r"(?:web_search|web_fetch|code_execution|tool_search_tool|advisor|mcp_toolset|computer|browser)"
    r"[A-Za-z0-9_]{0,40}"
)
_SERVER_TOOLS: Final = re.compile(SERVER_TOOLS)


TOOLS = Array(
    "Tools that run in the client. Those that Anthropic runs are left out beside others, and named "
    "in `x-gateway-ignored`.",
    narrowed={"maxItems": MOST_TOOLS, "items": reference("AnthropicTool")},
)


class ToolChoice:
    type = Choice(("auto", "any", "tool", "none"), required=True)
    disable_parallel_tool_use = Boolean()


TOOL_CHOICE = Object(
    members=ToolChoice,
    narrowed={
        "if": {"properties": {"type": {"const": "tool"}}},
        "then": {"properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
    examples=[{"type": "auto"}],
)


@dataclass(frozen=True, slots=True)
class Tools:
    """`offered`: what a model may be shown. `left_out`: Anthropic's own, by name and type."""

    offered: ToolList[dict[str, Any]]
    left_out: dict[str, str]
    # Deferred ones that the conversation added by name.
    added: frozenset[str] = frozenset()

    @property
    def ignored(self) -> tuple[str, ...]:
        """The types of the tools that were left out."""
        return tuple(dict.fromkeys(self.left_out.values()))


def tools_of(body: dict[str, Any]) -> Tools:
    tools = ToolList.of(TOOLS(body) or [])
    check_number(tools, "tools", MOST_TOOLS)
    return Tools(tools, {}) if tools.made(_are_usual) else tools.made(_read)


def _read(tools: ToolList[Any]) -> Tools:
    offered: Blocks = []
    left_out: dict[str, str] = {}
    for number, tool in enumerate(tools):
        _take(tool, f"tools[{number}]", offered, left_out)
    return Tools(ToolList(offered), left_out)


def _are_usual(tools: ToolList[Any]) -> bool:
    return all(map(_is_usual, tools))


def _is_usual(tool: Any) -> bool:
    """Whether a tool is one of the client's as agents offer them: then it is valid."""
    # What is parsed has these very types, and `isinstance` takes longer.
    if type(tool) is not dict or tool.get("type", "custom") != "custom":
        return False
    name, deferred = tool.get("name"), tool.get("defer_loading")
    return (
        type(name) is str
        and name != ""
        and type(tool.get("description")) is str
        and type(tool.get("input_schema")) is dict
        and (deferred is None or type(deferred) is bool)
    )


def _take(tool: Any, at: str, offered: Blocks, left_out: dict[str, str]) -> None:
    if not isinstance(tool, dict):
        raise wrong_type(at, "an object", tool)
    kind = tool.get("type", "custom")
    if isinstance(kind, str) and _SERVER_TOOLS.fullmatch(kind):
        name = tool.get("name")
        left_out[name if isinstance(name, str) and name else kind] = kind
    else:
        offered.append(_offered(tool, at))


def changed(tools: Tools, messages: Blocks) -> Tools:
    """The tools as they are at the end of the conversation, where blocks in it added and removed
    some. The last word about a tool counts, and its last definition."""
    changes = list(_changes(messages))
    if not changes:
        return tools
    left_out = dict(tools.left_out)
    defined = {tool["name"]: tool for tool in tools.offered}
    is_there: dict[str, bool] = {}
    for block, at in changes:
        tool = block["tool"]
        if tool["type"] == "tool_definition":
            given: Blocks = []
            _take(tool["definition"], f"{at}.tool.definition", given, left_out)
            defined.update((one["name"], {**one, "defer_loading": False}) for one in given)
            is_there.update((one["name"], True) for one in given)
        elif isinstance(tool.get("name"), str):
            is_there[tool["name"]] = block["type"] == "tool_addition"
    check_number(defined, "tools", MOST_TOOLS)
    offered = ToolList(tool for name, tool in defined.items() if is_there.get(name, True))
    added = frozenset(name for name, there in is_there.items() if there)
    return Tools(offered, left_out, added)


def _changes(messages: Blocks) -> Iterator[tuple[dict[str, Any], str]]:
    for position, message in enumerate(messages):
        content = message["content"]
        if isinstance(content, str):
            continue
        for number, block in enumerate(content):
            kind = block["type"]
            if kind in TOOL_CHANGES:
                yield block, f"messages[{position}].content[{number}]"
            elif kind == "compaction":
                at = f"messages[{position}].content[{number}].tool_changes"
                for place, change in enumerate(block.get("tool_changes") or ()):
                    yield change, f"{at}[{place}]"


def _offered(tool: dict[str, Any], at: str) -> dict[str, Any]:
    if tool.get("type", "custom") not in (None, "custom"):
        fixed = described(tool)
        if fixed is None:
            raise BadRequest(
                f"Unsupported tool {fields.shown(tool['type'])} in '{at}': no model here knows "
                "this tool of Anthropic's. Describe a tool with 'name' and 'input_schema'.",
                param=f"{at}.type",
                code="unsupported_value",
            )
        tool = fixed
    nested_fields.text(tool, at, "name")
    if tool.get("description") is not None:
        nested_fields.text(tool, at, "description", may_be_empty=True)
    nested_fields.boolean(tool, at, "defer_loading")
    schema = tool.get("input_schema")
    if schema is None:
        raise missing(f"{at}.input_schema")
    if not isinstance(schema, dict):
        raise wrong_type(f"{at}.input_schema", "an object", schema)
    return tool


def tool_choice_of(body: dict[str, Any], tools: Tools) -> dict[str, Any] | None:
    choice = TOOL_CHOICE(body)
    kind = choice["type"] if choice is not None else "auto"
    if tools.left_out and not tools.offered and kind != "none":
        raise BadRequest(
            f"'tools' offers only what Anthropic runs or its own models know ({_quoted(tools)}), "
            "and no model here can call it. Beside other tools these are left out.",
            param="tools",
            code="unsupported_value",
        )
    if choice is None:
        return None
    if kind == "tool":
        name = nested_fields.text(choice, "tool_choice", "name", may_be_empty=True)
        if name in tools.left_out:
            raise BadRequest(
                f"'tool_choice' forces a tool that Anthropic runs ('{name[:60]}'), and this "
                "gateway runs no tools of its own. With 'tool_choice' 'auto' it is left out.",
                param="tool_choice.name",
                code="unsupported_value",
            )
        if name not in [tool["name"] for tool in tools.offered]:
            raise wrong_value("tool_choice.name", "the name of one of 'tools'", name)
    if kind == "any" and not tools.offered:
        raise choice_without_tools()
    return choice


def _quoted(tools: Tools) -> str:
    return ", ".join(f"'{kind}'" for kind in tools.ignored)[:200]


def loaded(
    tools: Tools, choice: dict[str, Any] | None, messages: Blocks
) -> ToolList[dict[str, Any]]:
    """The tools that the model is shown: those with `defer_loading` only once a result refers to
    them, the conversation adds them, the model called them, or the choice names them.

    Where Anthropic's own search was to find them, which is left out, all are shown.
    """
    searches = any(kind.startswith("tool_search_tool") for kind in tools.ignored)
    if searches or not tools.offered.made(_some_wait):
        return tools.offered
    known = {*_referred_to(messages), *tools.added, (choice or {}).get("name")}
    return ToolList(t for t in tools.offered if not t.get("defer_loading") or t["name"] in known)


def _some_wait(tools: ToolList[dict[str, Any]]) -> bool:
    return any(tool.get("defer_loading") for tool in tools)


def _referred_to(messages: Blocks) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        for block in content if isinstance(content, list) else ():
            if block["type"] == "tool_use":
                yield block["name"]
            elif block["type"] == "tool_result" and isinstance(block.get("content"), list):
                for part in block["content"]:
                    if part["type"] == "tool_reference":
                        yield part["tool_name"]
