"""The tools of a Messages request, and which of them the model may or must call. Pure."""

from typing import Any

from openai_api.chat_completions.request import choice_without_tools
from openai_api.errors import BadRequest
from openai_api.messages.request.messages import Blocks
from openai_api.wire import fields, nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.fields import missing, wrong_type, wrong_value


def tools_of(body: dict[str, Any]) -> Blocks:
    tools = fields.sequence(body, "tools") or []
    check_number(tools, "tools", MOST_TOOLS)
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        if tool.get("type", "custom") not in (None, "custom"):
            raise BadRequest(
                f"Unsupported tool {fields.shown(tool['type'])} in '{at}': no model here knows "
                "Anthropic's own tools. Describe a tool with 'name' and 'input_schema'.",
                param=f"{at}.type",
                code="unsupported_value",
            )
        nested_fields.text(tool, at, "name")
        if tool.get("description") is not None:
            nested_fields.text(tool, at, "description", may_be_empty=True)
        schema = tool.get("input_schema")
        if schema is None:
            raise missing(f"{at}.input_schema")
        if not isinstance(schema, dict):
            raise wrong_type(f"{at}.input_schema", "an object", schema)
    return tools


def tool_choice_of(body: dict[str, Any], tools: Blocks) -> dict[str, Any] | None:
    choice = fields.mapping(body, "tool_choice")
    if choice is None:
        return None
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise wrong_value("tool_choice.type", "'auto', 'any', 'tool' or 'none'", kind)
    if kind == "tool":
        name = nested_fields.text(choice, "tool_choice", "name", may_be_empty=True)
        names = [tool["name"] for tool in tools]
        if name not in names:
            raise wrong_value("tool_choice.name", "the name of one of 'tools'", name)
    nested_fields.boolean(choice, "tool_choice", "disable_parallel_tool_use")
    if kind == "any" and not tools:
        raise choice_without_tools()
    return choice
