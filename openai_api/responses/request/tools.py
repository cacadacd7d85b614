"""The tools of a Responses request, and which of them the model may or must call. Pure."""

from typing import Any

from openai_api.chat_completions.request import choice_without_tools
from openai_api.errors import BadRequest
from openai_api.responses.request.items import Items
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value


def tools_of(body: dict[str, Any]) -> Items:
    tools = fields.sequence(body, "tools") or []
    check_number(tools, "tools", MOST_TOOLS)
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        kind = tool.get("type")
        if kind is None:
            raise missing(f"{at}.type")
        if kind != "function":
            raise BadRequest(
                f"Unsupported tool {fields.shown(kind)} in '{at}': this gateway runs no tools of "
                "its own. It takes tools of type 'function'.",
                param=f"{at}.type",
                code="unsupported_value",
            )
        nested_fields.text(tool, at, "name")
        if tool.get("description") is not None:
            nested_fields.text(tool, at, "description", may_be_empty=True)
        nested_fields.mapping(tool, at, "parameters")
        nested_fields.boolean(tool, at, "strict")
    return tools


def tool_choice_of(choice: Any, tools: Items) -> Any:
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
            name = nested_fields.text(choice, "tool_choice", "name")
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
        raise choice_without_tools()
    return choice


def _check_allowed(choice: dict[str, Any], names: set[str]) -> None:
    nested_fields.choice(choice, "tool_choice", "mode", ("auto", "required"))
    allowed = nested_fields.sequence(choice, "tool_choice", "tools")
    if not allowed:
        raise missing("tool_choice.tools")
    check_number(allowed, "tool_choice.tools", MOST_TOOLS)
    for number, tool in enumerate(allowed):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str) or name not in names:
            at = f"tool_choice.tools[{number}].name"
            raise wrong_value(at, "the name of one of 'tools'", name)
