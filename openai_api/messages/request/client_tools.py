"""Anthropic's tools that run in the client and whose input is fixed: offered as functions. Pure.

Source: the input schemas that Anthropic publishes in its documentation of each tool, and the
commands that its SDKs read. Anthropic's own models know them by heart; others have to be told.
"""

import re
from typing import Any, Final

_PATH: Final = {"type": "string", "description": "Absolute path of the file or folder."}
_OLD_STR: Final = {"type": "string", "description": "For str_replace: the text to replace."}
_INSERT_LINE: Final = {
    "type": "integer",
    "description": "For insert: the number of the line after which the text goes; 0 is the start.",
}
_VIEW_RANGE: Final = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "For view: the first and the last line to show; -1 stands for the last one.",
}


def _commands(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names), "description": "What to do."}


def _file_text(what: str = "file") -> dict[str, Any]:
    return {"type": "string", "description": f"For create: the whole text of the {what}."}


_BASH: Final = {
    "description": "Runs a command in a bash session that keeps its state between calls.",
    "input_schema": {
        "type": "object",
        "properties": {
            "command": {
                "type": "string",
                "description": "The command to run. Needed unless the session is restarted.",
            },
            "restart": {"type": "boolean", "description": "True restarts the session."},
        },
    },
}


def _editor(*, undoes: bool) -> dict[str, Any]:
    """`undoes`: the older editor, which also undoes edits and inserts what `new_str` says."""
    commands = ("view", "create", "str_replace", "insert", *(("undo_edit",) if undoes else ()))
    new_str = {"type": "string", "description": "For str_replace: the text to put in its place."}
    properties: dict[str, Any] = {
        "command": _commands(*commands),
        "path": _PATH,
        "file_text": _file_text(),
        "old_str": _OLD_STR,
        "new_str": new_str,
        "insert_line": _INSERT_LINE,
        "view_range": _VIEW_RANGE,
    }
    if undoes:
        new_str["description"] += " For insert: the text to insert."
    else:
        properties["insert_text"] = {
            "type": "string",
            "description": "For insert: the text to insert.",
        }
    return {
        "description": "Views, creates and edits text files.",
        "input_schema": {
            "type": "object",
            "properties": properties,
            "required": ["command", "path"],
        },
    }


_MEMORY: Final = {
    "description": "Keeps notes between conversations as files below /memories.",
    "input_schema": {
        "type": "object",
        "properties": {
            "command": _commands("view", "create", "str_replace", "insert", "delete", "rename"),
            "path": {"type": "string", "description": "The file or folder, below /memories."},
            "view_range": _VIEW_RANGE,
            "file_text": _file_text(),
            "old_str": _OLD_STR,
            "new_str": {"type": "string", "description": "For str_replace: what comes instead."},
            "insert_line": _INSERT_LINE,
            "insert_text": {"type": "string", "description": "For insert: the text to insert."},
            "old_path": {"type": "string", "description": "For rename: the path as it is."},
            "new_path": {"type": "string", "description": "For rename: the path as it will be."},
        },
        "required": ["command"],
    },
}
_KINDS: Final[tuple[tuple[re.Pattern[str], dict[str, Any]], ...]] = (
    (re.compile(r"bash_\d{8}"), _BASH),
    (re.compile(r"text_editor_(?:2024\d{4}|20250124)"), _editor(undoes=True)),
    (re.compile(r"text_editor_\d{8}"), _editor(undoes=False)),
    (re.compile(r"memory_\d{8}"), _MEMORY),
)


def described(tool: dict[str, Any]) -> dict[str, Any] | None:
    """The tool with its published description and input schema; None where it is no such tool."""
    kind = tool.get("type")
    for pattern, published in _KINDS:
        if isinstance(kind, str) and pattern.fullmatch(kind):
            return {**published, **tool}
    return None
