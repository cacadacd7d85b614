"""The tools of a Responses request, checked one by one. Pure.

Functions, custom tools and namespaces of both are offered to the model. Tools that OpenAI itself
runs, or that only its models know, are left out; `tool_choice.py` refuses to force one of them.
"""

from collections.abc import Sequence
from typing import Any

from openai_api.chat_completions.custom_tools import check_format
from openai_api.chat_completions.request import is_hosted
from openai_api.errors import BadRequest
from openai_api.responses.request.offered import Tools
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.declared import Array, reference
from openai_api.wire.fields import missing, wrong_type
from openai_api.wire.tool_lists import ToolList

TOOLS = Array(
    "Functions, custom tools, and namespaces of both. Tools that OpenAI runs are left out, and "
    "named in `x-gateway-ignored`.",
    narrowed={"maxItems": MOST_TOOLS, "items": reference("ResponseTool")},
)


def tools_of(body: dict[str, Any], later: list[tuple[Any, str]]) -> Tools:
    """The tools of the body and those that come `later`, each with its place."""
    given = ToolList.of(TOOLS(body) or [])
    check_number(given, "tools", MOST_TOOLS)
    return _offered(given, later) if later else given.made(_offered)


def _offered(given: ToolList[Any], later: Sequence[tuple[Any, str]] = ()) -> Tools:
    tools = Tools()
    ignored: dict[str, None] = {}
    for number, tool in enumerate(given):
        if _is_usual(tool) or _check_tool(tool, f"tools[{number}]"):
            tools.shown.append(tool)
        else:
            ignored[tool["type"]] = None
    added: list[dict[str, Any]] = []
    for tool, at in later:
        if _check_tool(tool, at):
            added.append(tool)
        else:
            ignored[tool["type"]] = None
    tools.ignored = tuple(ignored)
    # Names outside of namespaces are the caller's own, so they are given first.
    tools.add_plain(tool for tool in tools.shown if tool["type"] != "namespace")
    for tool in tools.shown:
        if tool["type"] == "namespace":
            tools.add_namespace(tool["name"], tool["tools"])
    for tool in added:
        # A search gives tools again that were there before.
        if tool["type"] == "namespace":
            name = tool["name"]
            new = [one for one in tool["tools"] if not tools.has(one["name"], name)]
            tools.add_namespace(name, new)
        elif not tools.has(tool["name"]):
            tools.add_plain([tool])
    check_number(tools.offered, "tools", MOST_TOOLS)
    return tools


def _is_usual(tool: Any) -> bool:
    """Whether a tool is a function as agents offer them: then it is valid."""
    # What is parsed has these very types, and `isinstance` takes longer.
    if type(tool) is not dict or tool.get("type") != "function":
        return False
    name, strict = tool.get("name"), tool.get("strict")
    return (
        type(name) is str
        and name != ""
        and type(tool.get("description")) is str
        and type(tool.get("parameters")) is dict
        and (strict is None or type(strict) is bool)
    )


def _check_tool(tool: Any, at: str) -> bool:
    """Whether the tool is one that a model is offered."""
    kind = _type_of(tool, at)
    if is_hosted(kind):
        return False
    if kind != "namespace":
        _check_callable(tool, kind, at)
        return True
    nested_fields.text(tool, at, "name")
    inner = tool.get("tools")
    if inner is None:
        raise missing(f"{at}.tools")
    for number, part in enumerate(nested_fields.sequence(tool, at, "tools")):
        inside = f"{at}.tools[{number}]"
        _check_callable(part, _type_of(part, inside), inside)
    return True


def _type_of(tool: Any, at: str) -> Any:
    if not isinstance(tool, dict):
        raise wrong_type(at, "an object", tool)
    kind = tool.get("type")
    if kind is None:
        raise missing(f"{at}.type")
    return kind


def _check_callable(tool: dict[str, Any], kind: Any, at: str) -> None:
    if kind not in ("function", "custom"):
        raise BadRequest(
            f"Unsupported tool {fields.shown(kind)} in '{at}'. Tools of type 'function', 'custom' "
            "and 'namespace' are offered to the model.",
            param=f"{at}.type",
            code="unsupported_value",
        )
    nested_fields.text(tool, at, "name")
    if tool.get("description") is not None:
        nested_fields.text(tool, at, "description", may_be_empty=True)
    if kind == "custom":
        check_format(tool, at)
    else:
        nested_fields.schema_of_function(tool, at)
        nested_fields.boolean(tool, at, "strict")
