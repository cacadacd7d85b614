"""A chat's tools as a model takes them, with all that the older schemas require. Pure."""

from typing import Any

from catalog.classify.facts import ChatFacts
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.translate.families import Family


def tools_for(asked: ChatRequest, facts: ChatFacts, family: Family) -> dict[str, Any]:
    if not asked.tools:
        return {}
    sent: dict[str, Any] = {"tools": [_tool(tool, facts, family) for tool in asked.tools]}
    choice = "required" if asked.tool_choice == "any" else asked.tool_choice
    if isinstance(choice, dict) and "function" not in choice and choice.get("name"):
        choice = {"type": "function", "function": {"name": choice["name"]}}
    if choice is not None and not (facts.dialect == "legacy" and choice == "auto"):
        sent["tool_choice"] = choice
    return sent


def _tool(tool: dict[str, Any], facts: ChatFacts, family: Family) -> dict[str, Any]:
    """The tool with all that the older schemas require; a missing description becomes empty."""
    given = tool.get("function", tool)
    description = given.get("description")
    function = {
        "name": given["name"],
        # The inference server refuses a request whose description is not a text (8001).
        "description": description if isinstance(description, str) else "",
        "parameters": _complete_parameters(
            given.get("parameters") or {},
            typed=facts.dialect == "legacy" or family.types_properties,
        ),
    }
    if given.get("strict") is not None and facts.dialect == "openai":
        function["strict"] = given["strict"]
    return {"type": "function", "function": function}


def _complete_parameters(parameters: dict[str, Any], *, typed: bool) -> dict[str, Any]:
    properties = parameters.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    complete = {
        name: prop if _is_complete(prop) else _completed(prop, typed=typed)
        for name, prop in properties.items()
    }
    return {**parameters, "type": "object", "properties": complete}


def _is_complete(prop: Any) -> bool:
    """Whether a property is to be sent as it is, as most are."""
    if not isinstance(prop, dict):
        return True
    return "description" in prop and isinstance(prop.get("type"), str)


def _completed(prop: dict[str, Any], *, typed: bool) -> dict[str, Any]:
    return {"description": "", **prop, **_one_type(prop, typed=typed)}


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
    return frozenset(tool.get("function", tool)["name"] for tool in asked.tools)


def forced_tools(asked: ChatRequest) -> frozenset[str]:
    choice = asked.tool_choice
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        return frozenset({name}) if isinstance(name, str) else frozenset()
    if choice in ("required", "any"):
        return frozenset(tool.get("function", tool)["name"] for tool in asked.tools)
    return frozenset()
