"""A chat's tools as a model takes them, with all that the older schemas require. Pure."""

from operator import is_
from typing import Any

from catalog.classify.facts import ChatFacts
from openai_api.chat_completions.request import ChatRequest, names_of
from openai_api.chat_completions.translate.families import Family
from openai_api.wire.tool_lists import ToolList


def tools_for(asked: ChatRequest, facts: ChatFacts, family: Family) -> dict[str, Any]:
    if not asked.tools:
        return {}
    takes_strict = facts.dialect == "openai"
    typed = facts.dialect == "legacy" or family.types_properties
    # The list itself where it goes as it is: what is known of it then holds for what is sent.
    changed = asked.tools.made(_changed, takes_strict, typed)
    sent: dict[str, Any] = {"tools": asked.tools if changed is None else changed}
    choice = "required" if asked.tool_choice == "any" else asked.tool_choice
    if isinstance(choice, dict) and "function" not in choice and choice.get("name"):
        choice = {"type": "function", "function": {"name": choice["name"]}}
    if choice is not None and not (facts.dialect == "legacy" and choice == "auto"):
        sent["tool_choice"] = choice
    return sent


def _changed(
    tools: ToolList[dict[str, Any]], takes_strict: bool, typed: bool
) -> ToolList[dict[str, Any]] | None:
    """The tools as the model takes them; None where they go as they are."""
    sent = [_tool(tool, takes_strict=takes_strict, typed=typed) for tool in tools]
    return None if all(map(is_, sent, tools)) else ToolList(sent)


def _tool(tool: dict[str, Any], *, takes_strict: bool, typed: bool) -> dict[str, Any]:
    """The tool with all that the older schemas require; a missing description becomes empty. One
    that has it all, and nothing else, goes as it is."""
    given = tool.get("function", tool)
    description, strict = given.get("description"), given.get("strict")
    parameters = given.get("parameters") or {}
    complete = _complete(parameters, typed=typed)
    names = 3
    if strict is not None and takes_strict:
        names = 4
    if (
        complete is parameters
        and len(given) == names
        and len(tool) == 2
        and "parameters" in given
        and "type" in tool
        and type(description) is str
    ):
        return tool
    function = {
        "name": given["name"],
        # The inference server refuses a request whose description is not a text (8001).
        "description": description if isinstance(description, str) else "",
        "parameters": complete,
    }
    if names == 4:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _complete(parameters: dict[str, Any], *, typed: bool) -> dict[str, Any]:
    """The parameters with a description and a type of each; themselves where they have all that."""
    properties = parameters.get("properties")
    complete = properties if type(properties) is dict else {}
    for name, prop in complete.items():
        if type(prop) is dict and ("description" not in prop or type(prop.get("type")) is not str):
            if complete is properties:
                complete = dict(properties)
            complete[name] = {"description": "", **prop, **_one_type(prop, typed=typed)}
    if complete is properties and parameters.get("type") == "object":
        return parameters
    return {**parameters, "type": "object", "properties": complete}


def _one_type(prop: dict[str, Any], *, typed: bool) -> dict[str, str]:
    """The one type of a property: of several, or of a combination, the first that is not null.

    Where the model does not require one (`typed`), several types or a combination stay as they are.
    """
    given = prop.get("type")
    if isinstance(given, str):
        return {}
    combined = [
        item.get("type")
        for key in ("anyOf", "oneOf", "allOf")
        if isinstance(prop.get(key), list)
        for item in prop[key]
        if isinstance(item, dict)
    ]
    if not typed and (given is not None or combined or "$ref" in prop):
        return {}
    several = given if isinstance(given, list) else combined
    named = (kind for kind in several if isinstance(kind, str) and kind != "null")
    return {"type": next(named, "string")}


def offered_tools(asked: ChatRequest) -> frozenset[str]:
    """Names that the model may call, unless the answer itself is to be JSON."""
    if asked.tool_choice == "none" or asked.response_format is not None:
        return frozenset()
    return asked.tools.made(names_of)


def forced_tools(asked: ChatRequest) -> frozenset[str]:
    choice = asked.tool_choice
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        return frozenset({name}) if isinstance(name, str) else frozenset()
    if choice in ("required", "any"):
        return asked.tools.made(names_of)
    return frozenset()
