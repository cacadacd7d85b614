"""The tools of a chat request, in both of OpenAI's forms. Pure."""

from dataclasses import dataclass, field, replace
from typing import Any

from openai_api.chat_completions import custom_tools
from openai_api.chat_completions.request.hosted import check_any, forced_hosted, is_hosted
from openai_api.wire import nested_fields
from openai_api.wire.bounds import MOST_TOOLS, check_number
from openai_api.wire.declared import Array, reference
from openai_api.wire.fields import missing, one_of, wrong_type, wrong_value
from openai_api.wire.tool_lists import ToolList

_CHOICES = ("function", "custom", "allowed_tools")

TOOLS = Array(
    "Functions and custom tools. Tools that OpenAI runs are left out and named in "
    "`x-gateway-ignored`.",
    narrowed={"maxItems": MOST_TOOLS, "items": reference("ChatTool")},
)
FUNCTIONS = Array(
    "The older form of `tools`.",
    narrowed={"maxItems": MOST_TOOLS, "items": reference("Function")},
)


@dataclass(slots=True)
class ChatTools:
    """`tools` are functions; `custom` has the names of those that stand for custom tools.

    `ignored`: types of tools that were left out. `legacy_functions`: the client uses `functions`.
    """

    tools: ToolList[dict[str, Any]] = field(default_factory=ToolList)
    choice: Any = None
    custom: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()
    legacy_functions: bool = False

    @property
    def names(self) -> frozenset[str]:
        return self.tools.made(names_of)


def names_of(tools: ToolList[dict[str, Any]]) -> frozenset[str]:
    return frozenset(tool.get("function", tool)["name"] for tool in tools)


def tools_of(body: dict[str, Any]) -> ChatTools:
    tools = TOOLS(body)
    functions = FUNCTIONS(body)
    check_number(tools or (), "tools", MOST_TOOLS)
    check_number(functions or (), "functions", MOST_TOOLS)
    for number, function in enumerate(functions or ()):
        _check_function(function, f"functions[{number}]")
    forced = _forced_function(body.get("function_call"))
    if functions and not tools:
        _check_choice(body.get("tool_choice"))
        return _of_functions(functions, forced)
    listed = ToolList.of(tools or [])
    read = ChatTools(listed) if listed.made(_are_usual) else replace(listed.made(_read))
    _choose(read, body.get("tool_choice"))
    return read


def _read(tools: ToolList[Any]) -> ChatTools:
    """The tools themselves, whatever is chosen; raises BadRequest."""
    read = ChatTools()
    ignored: dict[str, None] = {}
    custom: set[str] = set()
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        kind = tool.get("type", "function")
        if kind == "function":
            given = tool.get("function", tool if "name" in tool else None)
            _check_function(given, f"{at}.function")
            read.tools.append(tool)
        elif is_hosted(kind):
            ignored[kind] = None
        elif kind == "custom":
            function = _custom_function(tool, at)
            custom.add(function["name"])
            read.tools.append({"type": "function", "function": function})
        else:
            raise wrong_value(f"{at}.type", "'function' or 'custom'", kind)
    read.custom, read.ignored = frozenset(custom), tuple(ignored)
    return read


def _are_usual(tools: ToolList[Any]) -> bool:
    return all(map(_is_usual, tools))


def _is_usual(tool: Any) -> bool:
    """Whether a tool is a function as agents offer them: then it is valid."""
    # What is parsed has these very types, and `isinstance` takes longer.
    if type(tool) is not dict or tool.get("type") != "function":
        return False
    function = tool.get("function")
    if type(function) is not dict:
        return False
    name = function.get("name")
    return (
        type(name) is str
        and name != ""
        and type(function.get("description")) is str
        and type(function.get("parameters")) is dict
    )


def _forced_function(choice: Any) -> Any:
    """`function_call` as a `tool_choice`."""
    if isinstance(choice, dict):
        name = nested_fields.text(choice, "function_call", "name")
        return {"type": "function", "function": {"name": name}}
    if choice not in (None, "none", "auto"):
        raise wrong_value("function_call", "'none', 'auto' or a function", choice)
    return choice


def _of_functions(functions: list[Any], choice: Any) -> ChatTools:
    read = ChatTools(ToolList({"type": "function", "function": f} for f in functions))
    read.legacy_functions = True
    read.choice = choice
    if isinstance(choice, dict):
        _check_offered(choice["function"]["name"], "function_call.name", read)
    return read


def _custom_function(tool: dict[str, Any], at: str) -> dict[str, Any]:
    given = tool.get("custom", tool if "name" in tool else None)
    at = f"{at}.custom"
    if given is None:
        raise missing(at)
    if not isinstance(given, dict):
        raise wrong_type(at, "an object", given)
    name = nested_fields.text(given, at, "name")
    if given.get("description") is not None:
        nested_fields.text(given, at, "description", may_be_empty=True)
    custom_tools.check_format(given, at)
    return custom_tools.function_of(name, given)


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
    nested_fields.schema_of_function(function, at)


def _check_choice(choice: Any) -> None:
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required", "any"):
            raise wrong_value("tool_choice", "'none', 'auto', 'required' or a function", choice)
    elif choice is not None and not isinstance(choice, dict):
        raise wrong_type("tool_choice", "a string or an object", choice)


def _choose(read: ChatTools, choice: Any) -> None:
    """Takes in `tool_choice`: which tools are offered, and whether one is forced."""
    _check_choice(choice)
    if choice is None:
        return
    if isinstance(choice, str):
        if choice in ("required", "any"):
            check_any(read.tools, read.ignored)
        read.choice = choice
    elif choice.get("type") == "allowed_tools":
        _allow(read, choice)
    else:
        name = _name_in(choice, "tool_choice")
        check_any(read.tools, read.ignored)
        _check_offered(name, f"tool_choice.{_kind_of(choice)}.name", read)
        read.choice = {"type": "function", "function": {"name": name}}


def _allow(read: ChatTools, choice: dict[str, Any]) -> None:
    """Offers only the allowed tools."""
    at = "tool_choice.allowed_tools"
    allowed = choice.get("allowed_tools", choice if "tools" in choice else None)
    if allowed is None:
        raise missing(at)
    if not isinstance(allowed, dict):
        raise wrong_type(at, "an object", allowed)
    mode = nested_fields.choice(allowed, at, "mode", ("auto", "required")) or "auto"
    listed = nested_fields.sequence(allowed, at, "tools")
    check_number(listed, f"{at}.tools", MOST_TOOLS)
    if not listed:
        raise missing(f"{at}.tools")
    names = set()
    for number, entry in enumerate(listed):
        inside = f"{at}.tools[{number}]"
        if not isinstance(entry, dict):
            raise wrong_type(inside, "an object", entry)
        if entry.get("type") in read.ignored:
            continue
        name = _name_in(entry, inside)
        _check_offered(name, f"{inside}.{_kind_of(entry)}.name", read)
        names.add(name)
    read.tools = ToolList(t for t in read.tools if t.get("function", t)["name"] in names)
    if mode == "required":
        check_any(read.tools, read.ignored)
    read.choice = mode


def _kind_of(entry: dict[str, Any]) -> str:
    return str(entry.get("type", "function"))


def _name_in(entry: dict[str, Any], at: str) -> str:
    """The name in `{"type": "function", "function": {"name"}}`, or in a flat one."""
    kind = entry.get("type", "function")
    if is_hosted(kind):
        raise forced_hosted(kind, f"{at}.type")
    if kind not in ("function", "custom"):
        raise wrong_value(f"{at}.type", one_of(_CHOICES), kind)
    inner = entry.get(kind)
    name = inner.get("name") if isinstance(inner, dict) else entry.get("name")
    if not isinstance(name, str):
        raise missing(f"{at}.{kind}.name")
    return name


def _check_offered(name: str, param: str, read: ChatTools) -> None:
    if name not in read.names:
        raise wrong_value(param, "the name of one of the tools that are offered", name)
