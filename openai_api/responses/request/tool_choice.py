"""Which of a Responses request's tools the model may or must call. Pure."""

from typing import Any, NamedTuple

from openai_api.chat_completions.request import check_any, forced_hosted, is_hosted
from openai_api.responses.request.offered import OfferedTool, Tools
from openai_api.wire import nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

_KINDS = ("function", "custom", "namespace", "allowed_tools")


class Chosen(NamedTuple):
    """The tools that are offered, and 'none', 'auto', 'required', or the one that is forced."""

    tools: ToolList[OfferedTool]
    choice: str | OfferedTool


def chosen_of(choice: Any, tools: Tools) -> Chosen:
    """What `tool_choice` says; raises BadRequest."""
    if choice is None:
        return Chosen(tools.offered, "auto")
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise wrong_value("tool_choice", "'none', 'auto', 'required' or an object", choice)
        if choice == "required":
            check_any(tools, tools.ignored)
        return Chosen(tools.offered, choice)
    if not isinstance(choice, dict):
        raise wrong_type("tool_choice", "a string or an object", choice)
    kind = choice.get("type")
    if kind == "allowed_tools":
        mode = nested_fields.choice(choice, "tool_choice", "mode", ("auto", "required")) or "auto"
        allowed = _allowed(choice, tools)
        if mode == "required":
            check_any(allowed, tools.ignored)
        return Chosen(allowed, mode)
    if is_hosted(kind):
        raise forced_hosted(str(kind), "tool_choice.type")
    if kind not in _KINDS:
        raise wrong_value("tool_choice.type", one_of(_KINDS), kind)
    name = nested_fields.text(choice, "tool_choice", "name")
    check_any(tools, tools.ignored)
    if kind == "namespace":
        inside = tools.of_namespace(name)
        if not inside:
            raise wrong_value("tool_choice.name", "the name of a namespace of 'tools'", name)
        return Chosen(ToolList(inside), "required")
    return Chosen(tools.offered, _named(choice, "tool_choice", tools))


def _allowed(choice: dict[str, Any], tools: Tools) -> ToolList[OfferedTool]:
    listed = nested_fields.sequence(choice, "tool_choice", "tools")
    if not listed:
        raise missing("tool_choice.tools")
    check_number(listed, "tool_choice.tools", MOST_TOOLS)
    allowed: dict[str, OfferedTool] = {}
    for number, entry in enumerate(listed):
        at = f"tool_choice.tools[{number}]"
        if not isinstance(entry, dict):
            raise wrong_type(at, "an object", entry)
        kind = entry.get("type")
        if is_hosted(kind):
            if kind not in tools.ignored:
                raise wrong_value(f"{at}.type", "the type of one of 'tools'", kind)
            continue
        if kind == "namespace":
            inside = tools.of_namespace(nested_fields.text(entry, at, "name"))
            if not inside:
                raise wrong_value(f"{at}.name", "the name of a namespace of 'tools'", entry["name"])
        else:
            inside = [_named(entry, at, tools)]
        allowed |= {tool.sent_name: tool for tool in inside}
    return ToolList(tool for tool in tools.offered if tool.sent_name in allowed)


def _named(entry: dict[str, Any], at: str, tools: Tools) -> OfferedTool:
    name = nested_fields.text(entry, at, "name")
    namespace = entry.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        raise wrong_type(f"{at}.namespace", "a string", namespace)
    tool = tools.named(name, namespace or "")
    if tool is None:
        raise wrong_value(f"{at}.name", "the name of one of 'tools'", name)
    return tool
