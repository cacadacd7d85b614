"""The system prompt and the messages of a Messages request, checked block by block. Pure."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings

from openai_api.chat_completions.request import (
    as_part,
    as_result,
    check_file_url,
    check_picture_url,
    is_file_url,
    unknown_part,
    unreadable_picture,
)
from openai_api.errors import BadRequest
from openai_api.wire import nested_fields
from openai_api.wire.bounds import MOST_MESSAGES, MOST_PARTS, check_number
from openai_api.wire.declared import FilledArray, reference
from openai_api.wire.fields import missing, wrong_type, wrong_value

# Tools that come and go in the middle of a conversation.
TOOL_CHANGES = ("tool_addition", "tool_removal")
CHANGED_TOOLS = (
    *("tool_reference", "tool_definition", "mcp_tool_reference", "mcp_toolset_reference"),
)
# Shown until the user speaks again.
PASSING = "next_user_message"
ROLES = ("user", "assistant", "system")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
USER_BLOCKS = (
    "text",
    "image",
    "document",
    "search_result",
    "tool_result",
    "compaction",
    *TOOL_CHANGES,
)
ASSISTANT_BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use", "compaction")
RESULT_BLOCKS = ("text", "image", "document", "search_result", "tool_reference")
# What Anthropic's own tools left in a conversation that goes on here.
OF_SERVERS = r"(?:server_tool_use|mcp_tool_use|mcp_tool_listing|fallback|\w{1,60}_tool_result)"
SERVER_BLOCKS = re.compile(OF_SERVERS, re.ASCII)

MESSAGES = FilledArray(
    "message",
    "The conversation.",
    narrowed={"maxItems": MOST_MESSAGES, "items": reference("AnthropicMessage")},
    examples=[[{"role": "user", "content": "Say hello."}]],
)

NO_DOCUMENT = "[document: it could not be shown to this model]"

Blocks = list[dict[str, Any]]


def system_of(body: dict[str, Any]) -> str | Blocks | None:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return system
    if not isinstance(system, list):
        raise wrong_type("system", "a string or an array of text blocks", system)
    check_number(system, "system", MOST_PARTS)
    for number, block in enumerate(system):
        _check_block(block, f"system[{number}]", ("text",))
    return system


def messages_of(body: dict[str, Any]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """(the messages, the types of their blocks that are left out)"""
    messages = MESSAGES(body)
    check_number(messages, "messages", MOST_MESSAGES)
    calls: set[str] = set()
    left_out: dict[str, None] = {}
    for position, message in enumerate(messages):
        if not _is_usual(message, calls):
            _check_message(message, f"messages[{position}]", calls, left_out)
    return messages, tuple(left_out)


def _is_usual(message: Any, calls: set[str]) -> bool:
    """Whether a message is as agents' are: a text, or blocks that are texts, calls, and results of
    calls as texts. Then it is valid; its calls are added to `calls`, as they are by the check.
    """
    if type(message) is not dict:
        return False
    role, content = message.get("role"), message.get("content")
    if role != "user" and role != "assistant":
        return False
    if type(content) is not list:
        return type(content) is str
    if len(content) > MOST_PARTS:
        return False
    # What is parsed has these very types, and `isinstance` takes longer.
    for block in content:
        kind = block.get("type") if type(block) is dict else None
        if kind == "text":
            if type(block.get("text")) is not str:
                return False
        elif kind == "tool_result" and role == "user":
            call_id, shown = block.get("tool_use_id"), block.get("content")
            if type(call_id) is not str or call_id not in calls or not _is_text(shown):
                return False
        elif kind == "tool_use" and role == "assistant":
            call_id, name = block.get("id"), block.get("name")
            if type(call_id) is not str or type(name) is not str or not (call_id and name):
                return False
            if type(block.get("input")) is not dict:
                return False
            calls.add(call_id)
        else:
            return False
    return True


def _is_text(shown: Any) -> bool:
    """Whether a result is a text, in one block or in none."""
    if type(shown) is str:
        return True
    return (
        type(shown) is list
        and len(shown) == 1
        and type(shown[0]) is dict
        and shown[0].get("type") == "text"
        and type(shown[0].get("text")) is str
    )


def _check_message(message: Any, at: str, calls: set[str], left_out: dict[str, None]) -> None:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object", message)
    role = nested_fields.role(message, at, ROLES, takes="'user' or 'assistant'")
    content = message.get("content")
    output = nested_fields.mapping(message, at, "output_config") if role == "system" else None
    if output is not None:
        nested_fields.choice(output, f"{at}.output_config", "effort", EFFORTS)
    if content is None:
        if output is None:
            raise missing(f"{at}.content")
        content = message["content"] = ""  # it only sets the effort
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(f"{at}.content", "a string or an array of blocks", content)
    check_number(content, f"{at}.content", MOST_PARTS)
    types = ASSISTANT_BLOCKS if role == "assistant" else USER_BLOCKS
    for number, block in enumerate(content):
        inner = f"{at}.content[{number}]"
        if role == "assistant" and _is_of_a_server(block):
            left_out[block["type"]] = None
            continue
        _check_block(block, inner, types)
        if block["type"] == "tool_use":
            calls.add(block["id"])
        elif block["type"] == "tool_result" and block["tool_use_id"] not in calls:
            raise BadRequest(
                f"'{inner}' answers the tool_use_id '{block['tool_use_id'][:60]}', "
                "which no 'tool_use' block before it has.",
                param=f"{inner}.tool_use_id",
                code="invalid_value",
            )


def _check_block(block: Any, at: str, types: tuple[str, ...]) -> None:
    check = _CHECKS.get(nested_fields.kind(block, at, types))
    if check is not None:
        check(block, at)


def _is_of_a_server(block: Any) -> bool:
    """Whether a block is the call or the result of a tool that Anthropic ran: it is left out."""
    kind = block.get("type") if isinstance(block, dict) else None
    return isinstance(kind, str) and SERVER_BLOCKS.fullmatch(kind) is not None


def _check_text(block: dict[str, Any], at: str) -> None:
    nested_fields.text(block, at, "text", may_be_empty=True)


def _check_thinking(block: dict[str, Any], at: str) -> None:
    nested_fields.text(block, at, "thinking", may_be_empty=True)


def _check_image(block: dict[str, Any], at: str) -> None:
    source = _source(block, at, ("base64", "url"))
    if source["type"] == "url":
        url = nested_fields.text(source, f"{at}.source", "url", may_be_empty=True)
        check_picture_url(url, f"{at}.source.url")
        return
    media_type = nested_fields.text(source, f"{at}.source", "media_type", may_be_empty=True)
    data = nested_fields.text(source, f"{at}.source", "data", may_be_empty=True)
    check_picture_url(f"data:{media_type};base64,{data[:1]}", f"{at}.source")


def _check_document(block: dict[str, Any], at: str) -> None:
    source = _source(block, at, ("text", "content", "base64", "url"))
    if source["type"] == "url":
        url = nested_fields.text(source, f"{at}.source", "url")
        check_file_url(url, f"{at}.source.url")
        return
    if source["type"] == "content":
        _check_content(source.get("content"), f"{at}.source.content", ("text", "image"))
        return
    nested_fields.text(source, f"{at}.source", "data", may_be_empty=True)
    if source["type"] == "base64":
        nested_fields.text(source, f"{at}.source", "media_type", may_be_empty=True)


def _source(block: dict[str, Any], at: str, types: tuple[str, ...]) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{at}.source", "an object", source)
    kind = source.get("type")
    if kind not in types:
        takes = " or ".join(f"'{t}'" for t in types)
        raise wrong_value(f"{at}.source.type", f"{takes}, as no files are kept here", kind)
    return source


def _check_content(content: Any, at: str, types: tuple[str, ...]) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(at, f"a string or an array of {' and '.join(types)} blocks", content)
    check_number(content, at, MOST_PARTS)
    for number, block in enumerate(content):
        _check_block(block, f"{at}[{number}]", types)


def _check_search_result(block: dict[str, Any], at: str) -> None:
    _check_content(block.get("content"), f"{at}.content", ("text",))


def _check_reference(block: dict[str, Any], at: str) -> None:
    nested_fields.text(block, at, "tool_name")


def _check_change(block: dict[str, Any], at: str) -> None:
    tool = block.get("tool")
    if not isinstance(tool, dict):
        raise wrong_type(f"{at}.tool", "an object", tool)
    kind = nested_fields.kind(tool, f"{at}.tool", CHANGED_TOOLS)
    if kind == "tool_definition":
        if not isinstance(tool.get("definition"), dict):
            raise wrong_type(f"{at}.tool.definition", "an object", tool.get("definition"))
    elif kind != "mcp_toolset_reference":
        nested_fields.text(tool, f"{at}.tool", "name")


def _check_compaction(block: dict[str, Any], at: str) -> None:
    if block.get("content") is not None:
        nested_fields.text(block, at, "content", may_be_empty=True)
    changes = nested_fields.sequence(block, at, "tool_changes")
    check_number(changes, f"{at}.tool_changes", MOST_PARTS)
    for number, change in enumerate(changes):
        _check_block(change, f"{at}.tool_changes[{number}]", TOOL_CHANGES)


def _check_call(block: dict[str, Any], at: str) -> None:
    for name in ("id", "name"):
        nested_fields.text(block, at, name)
    if not isinstance(block.get("input"), dict):
        raise wrong_type(f"{at}.input", "an object", block.get("input"))


def unreadable(part: Any) -> str | None:
    """The words for a block in a tool's result that nothing here can read; None for what can. The
    tool made it, not the user, and the conversation goes on.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    source = part.get("source") if kind in ("image", "document") else None
    if not isinstance(source, dict):
        return unknown_part(part, RESULT_BLOCKS)
    named = source.get("type")
    if kind == "document":
        inside = source.get("content") if named == "content" else None
        if isinstance(inside, list) and any(unreadable(one) is not None for one in inside):
            return NO_DOCUMENT
        is_lost = named == "url" and not (settings.DOCUMENTS and is_file_url(source.get("url")))
        return NO_DOCUMENT if named == "file" or is_lost else None
    if named == "base64":
        media_type, data = source.get("media_type"), source.get("data")
        if isinstance(media_type, str) and isinstance(data, str):
            return unreadable_picture(f"data:{media_type};base64,")
        return None
    return unreadable_picture(source.get("url"))


def _check_result(block: dict[str, Any], at: str) -> None:
    nested_fields.text(block, at, "tool_use_id", may_be_empty=True)
    content = block["content"] = as_result(block.get("content"))
    if isinstance(content, list):
        check_number(content, f"{at}.content", MOST_PARTS)
        content[:] = map(as_part, content)
        for number, part in enumerate(content):
            if unreadable(part) is None:
                _check_block(part, f"{at}.content[{number}]", RESULT_BLOCKS)


_CHECKS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "text": _check_text,
    "thinking": _check_thinking,
    "image": _check_image,
    "document": _check_document,
    "search_result": _check_search_result,
    "tool_reference": _check_reference,
    **dict.fromkeys(TOOL_CHANGES, _check_change),
    "compaction": _check_compaction,
    "tool_use": _check_call,
    "tool_result": _check_result,
}
