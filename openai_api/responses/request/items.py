"""The input of a Responses request: messages, calls, their results and thoughts. Pure."""

from typing import Any

from openai_api.chat_completions.request import (
    as_arguments,
    as_part,
    as_result,
    become_text,
    check_file_url,
    check_picture_url,
    is_file_url,
    unknown_part,
    unreadable_picture,
)
from openai_api.errors import BadRequest
from openai_api.wire import nested_fields
from openai_api.wire.bounds import MOST_MESSAGES, MOST_PARTS, check_number
from openai_api.wire.fields import missing, one_of, shown, wrong_type, wrong_value

ROLES = ("user", "assistant", "system", "developer")
CALLS = ("function_call", "custom_tool_call")
OUTPUTS = ("function_call_output", "custom_tool_call_output")
# Settings that hold from there on, and which of each field.
UPDATE = "configuration_update"
UPDATED = {"reasoning": "effort", "text": "format"}
ITEM_TYPES = ("message", *CALLS, *OUTPUTS, "reasoning", UPDATE)
THOUGHT_IDS = "rs_"
# What tools that OpenAI runs left in an earlier answer. No model here knows them, so they are left
# out.
HOSTED_ITEMS = (
    *("web_search_call", "file_search_call", "image_generation_call", "code_interpreter_call"),
    *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call"),
    *("computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output"),
    *("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"),
    *("tool_search_call", "program", "program_output"),
)
# Tools that come within the conversation.
TOOL_ITEMS = ("additional_tools", "tool_search_output")
_OF_THE_BODY = frozenset((*TOOL_ITEMS, UPDATE))
# Of the types that say something to a model; a message may have none.
_SAID = frozenset(ITEM_TYPES) - {UPDATE}
NO_FILE = "[document: it could not be shown to this model]"
PART_TYPES = ("input_text", "output_text", "text", "refusal", "input_image", "input_file")

Items = list[dict[str, Any]]


def items_of(body: dict[str, Any]) -> Items:
    given = body.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise wrong_type("input", "a string or an array of items", given)
    if not given:
        raise BadRequest(
            "Invalid 'input': empty array. Expected a string or an array with at least one item.",
            param="input",
            code="empty_array",
        )
    check_number(given, "input", MOST_MESSAGES)
    calls: set[str] = set()
    for position, item in enumerate(given):
        if not _is_usual(item, calls):
            _check_item(item, f"input[{position}]", calls)
    return given


def _is_usual(item: Any, calls: set[str]) -> bool:
    """Whether an item is as agents' are: a message of texts, a call of a function, or what one gave
    as text. Then it is valid; a call is added to `calls`, as it is by the check.
    """
    # What is parsed has these very types, and `isinstance` takes longer.
    if type(item) is not dict:
        return False
    kind = item.get("type")
    if kind == "message":
        return item.get("role") in ROLES and _is_text(item.get("content"))
    call_id = item.get("call_id")
    if type(call_id) is not str or not call_id:
        return False
    if kind == "function_call_output":
        return call_id in calls and type(item.get("output")) is str
    if kind != "function_call" or item.get("namespace") is not None:
        return False
    name = item.get("name")
    if type(name) is not str or not name or type(item.get("arguments")) is not str:
        return False
    calls.add(call_id)
    return True


def _is_text(content: Any) -> bool:
    """Whether a content is a text, in one part or in none."""
    if type(content) is str:
        return True
    if type(content) is not list or len(content) != 1:
        return False
    part = content[0]
    return (
        type(part) is dict
        and part.get("type") in ("input_text", "output_text", "text")
        and type(part.get("text")) is str
    )


def _check_item(item: Any, at: str, calls: set[str]) -> None:
    if not isinstance(item, dict):
        raise wrong_type(at, "an object", item)
    if is_reference(item):
        _check_reference(item["id"], at)
        return
    kind = item.get("type")
    if kind in (None, ""):
        kind = "message"
    if kind == "item_reference":
        raise (
            missing(f"{at}.id")
            if item.get("id") is None
            else wrong_type(f"{at}.id", "a string", item["id"])
        )
    if kind in HOSTED_ITEMS:
        return
    if kind in TOOL_ITEMS:
        nested_fields.sequence(item, at, "tools")
        return
    if kind == UPDATE:
        for name in UPDATED:
            nested_fields.mapping(item, at, name)
        return
    if kind not in ITEM_TYPES:
        raise wrong_value(f"{at}.type", one_of(ITEM_TYPES), kind)
    if kind == "message":
        _check_message(item, at)
    elif kind == "reasoning":
        _check_thought(item, at)
    else:
        _check_call(kind, item, at, calls)


def _check_thought(item: dict[str, Any], at: str) -> None:
    if item.get("encrypted_content") is not None:
        nested_fields.text(item, at, "encrypted_content", may_be_empty=True)
    for group in ("summary", "content"):
        parts = nested_fields.sequence(item, at, group)
        check_number(parts, f"{at}.{group}", MOST_PARTS)
        for number, part in enumerate(parts):
            if not isinstance(part, dict) or not isinstance(part.get("text"), str):
                raise wrong_type(f"{at}.{group}[{number}].text", "a string", part)


def is_reference(item: Any) -> bool:
    """Whether an item stands for another one of which it has the id alone; its type may be left
    out."""
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    if kind is not None and kind != "item_reference":
        return False
    return isinstance(item.get("id"), str) and (kind is not None or item.keys() <= {"id", "type"})


def said_and_dropped(items: Items) -> tuple[Items, Items]:
    """The items that say something to a model, and those that are lost: of hosted tools, or
    references to thoughts."""
    said: Items = []
    dropped: Items = []
    for item in items:
        kind = item.get("type")
        if kind in _SAID:
            said.append(item)
        elif kind in HOSTED_ITEMS or is_reference(item):
            dropped.append(item)
        elif kind not in _OF_THE_BODY:
            said.append(item)
    return said, dropped


def changes_the_body(items: Items) -> bool:
    """Whether items bring tools or settings, as few conversations have them."""
    return not _OF_THE_BODY.isdisjoint({item.get("type") for item in items})


def tools_in(items: Items) -> list[tuple[Any, str]]:
    """The tools that come within the conversation, with the place of each."""
    return [
        (tool, f"input[{position}].tools[{number}]")
        for position, item in enumerate(items)
        if item.get("type") in TOOL_ITEMS
        for number, tool in enumerate(item.get("tools") or ())
    ]


def updated(body: dict[str, Any], items: Items) -> dict[str, Any]:
    """The body with the settings that items of the conversation changed; the last word counts."""
    for item in items:
        if item.get("type") != UPDATE:
            continue
        for name, inner in UPDATED.items():
            given, now = body.get(name), (item.get(name) or {}).get(inner)
            if now is not None and (given is None or isinstance(given, dict)):
                body = {**body, name: {**(given or {}), inner: now}}
    return body


def _check_reference(item_id: str, at: str) -> None:
    """Refuses a reference to what is no longer there, unless it is a thought: without it a model
    thinks anew."""
    if item_id.startswith(THOUGHT_IDS):
        return
    raise BadRequest(
        f"'{at}' refers to the item {shown(item_id)}, which is not here: this gateway keeps the "
        "items of its answers for a short while only, and each of its workers keeps its own. "
        "Set 'store' to false, so that the client sends items in full, or send the item itself.",
        param=at,
        code="unsupported_value",
    )


def _check_call(kind: str, item: dict[str, Any], at: str, calls: set[str]) -> None:
    """Checks a call, or the output of one that stands before it."""
    call_id = nested_fields.text(item, at, "call_id")
    if kind in CALLS:
        nested_fields.text(item, at, "name")
        written = "arguments" if kind == "function_call" else "input"
        if kind == "function_call" and "arguments" in item:
            item["arguments"] = as_arguments(item["arguments"]) or ""
        nested_fields.text(item, at, written, may_be_empty=True)
        if item.get("namespace") is not None:
            nested_fields.text(item, at, "namespace", may_be_empty=True)
        calls.add(call_id)
        return
    _check_output(item, at)
    if call_id not in calls:
        made_by = kind.removesuffix("_output")
        raise BadRequest(
            f"No tool call found for {made_by.replace('_', ' ')} output with call_id "
            f"'{call_id[:60]}': the '{made_by}' item must stand before it.",
            param=at,
            code="invalid_value",
        )


def _check_message(item: dict[str, Any], at: str) -> None:
    nested_fields.role(item, at, ROLES)
    content = item.get("content")
    if content is None:
        raise missing(f"{at}.content")
    _check_content(content, f"{at}.content")


def _check_output(item: dict[str, Any], at: str) -> None:
    if "output" not in item:
        raise missing(f"{at}.output")
    output = item["output"] = as_result(item["output"])
    if isinstance(output, list):
        check_number(output, f"{at}.output", MOST_PARTS)
        output[:] = [as_part(entry, "input_text") for entry in output]
        for part in output:
            _tell_unreadable(part)
    _check_content(output, f"{at}.output")


def _tell_unreadable(part: dict[str, Any]) -> None:
    """Replaces, in place, a part of a tool's output that nothing here can read by words."""
    instead = unknown_part(part, PART_TYPES)
    kind = part["type"]
    if kind == "input_image":
        instead = unreadable_picture(part.get("image_url"))
    elif kind == "input_file" and part.get("file_data") is None:
        instead = None if is_file_url(part.get("file_url")) else NO_FILE
    if instead is not None:
        become_text(part, instead, "input_text")


def _check_content(content: Any, at: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(at, "a string or an array of parts", content)
    check_number(content, at, MOST_PARTS)
    for number, part in enumerate(content):
        _check_part(part, f"{at}[{number}]")


def _check_part(part: Any, at: str) -> None:
    kind = nested_fields.kind(part, at, PART_TYPES)
    if kind in ("input_image", "input_file"):
        if part.get("file_id") is not None:
            raise BadRequest(
                f"'{at}.file_id' is not supported: this gateway keeps no files. "
                "Send the data itself.",
                param=f"{at}.file_id",
                code="unsupported_parameter",
            )
        if kind == "input_image":
            url = nested_fields.text(part, at, "image_url")
            check_picture_url(url, f"{at}.image_url")
        elif part.get("file_url") is not None and part.get("file_data") is None:
            check_file_url(nested_fields.text(part, at, "file_url"), f"{at}.file_url")
        else:
            nested_fields.text(part, at, "file_data")
    else:
        nested_fields.text(part, at, "refusal" if kind == "refusal" else "text", may_be_empty=True)
