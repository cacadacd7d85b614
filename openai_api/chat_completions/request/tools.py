"""The tools of a chat request, in both of OpenAI's forms. Pure."""

from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.fields import missing, wrong_type, wrong_value


def tools_of(body: dict[str, Any]) -> tuple[list[dict[str, Any]], Any, bool]:
    """(tools, tool_choice, whether the client uses the older `functions`)."""
    tools = fields.sequence(body, "tools")
    functions = fields.sequence(body, "functions")
    check_number(tools or (), "tools", MOST_TOOLS)
    check_number(functions or (), "functions", MOST_TOOLS)
    if functions and not tools:
        for number, function in enumerate(functions):
            _check_function(function, f"functions[{number}]")
        call = body.get("function_call")
        if isinstance(call, dict):
            call = {"type": "function", "function": {"name": call.get("name")}}
        return [{"type": "function", "function": f} for f in functions], call, True
    for number, tool in enumerate(tools or []):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        if tool.get("type", "function") != "function":
            raise wrong_value(f"{at}.type", "'function'", tool.get("type"))
        _check_function(tool.get("function", tool if "name" in tool else None), f"{at}.function")
    return tools or [], _tool_choice(body.get("tool_choice"), tools or []), False


def _check_function(function: Any, at: str) -> None:
    if function is None:
        raise missing(at)
    if not isinstance(function, dict):
        raise wrong_type(at, "an object", function)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise missing(f"{at}.name") if name is None else wrong_type(f"{at}.name", "a string", name)
    description = function.get("description")
    if description is not None and not isinstance(description, str | bool):
        raise wrong_type(f"{at}.description", "a string", description)
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong_type(f"{at}.parameters", "an object", parameters)


def _tool_choice(choice: Any, tools: list[dict[str, Any]]) -> Any:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required", "any"):
            raise wrong_value("tool_choice", "'none', 'auto', 'required' or a function", choice)
    elif isinstance(choice, dict):
        if choice.get("type", "function") == "function":
            function = choice.get("function")
            name = function.get("name") if isinstance(function, dict) else choice.get("name")
            if not isinstance(name, str):
                raise missing("tool_choice.function.name")
    else:
        raise wrong_type("tool_choice", "a string or an object", choice)
    forces = choice not in ("none", "auto")
    if forces and not tools:
        raise choice_without_tools()
    return choice


def choice_without_tools() -> BadRequest:
    """The error for a `tool_choice` that forces a tool where there is none."""
    return BadRequest(
        "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
    )
