"""Files of text, read into the prompt: no model here takes them as files. Pure."""

import base64
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from openai_api.chat_completions.request import become_text

_PDF: Final = b"%PDF-"  # begins with text, and is none
_NEVER_TEXT: Final = ("image/png", "image/jpeg", "audio/", "video/", "application/pdf")


def read_text_files(messages: list[dict[str, Any]]) -> None:
    """Replaces, in place, files of text by what they say."""
    for message in messages:
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for part in content:
            if part["type"] != "file":
                continue
            text = text_of_file(part["file"])
            if text is not None:
                become_text(part, text)


def text_of_file(file: dict[str, Any]) -> str | None:
    """What a file of text says, under its name; None for a file of another kind.

    The bytes decide: clients send code and tables under many types, or under none.
    """
    data = file.get("file_data")
    content = _content_of(data) if isinstance(data, str) else None
    text = None if content is None else decoded_text(content)
    if text is None:
        return None
    name = file.get("filename")
    return f"{name}\n{text}" if isinstance(name, str) and name else text


def decoded_text(content: bytes) -> str | None:
    """The text in a file; None where it is none."""
    if content.startswith(_PDF) or b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _content_of(data: str) -> bytes | None:
    """The bytes in a data URL or in bare base64; None where it is neither, or holds what is never
    text."""
    if data[:5].lower() == "data:":
        comma = data.find(",")
        media_type, _, parameters = data[5 : max(comma, 5)].lower().partition(";")
        if comma < 0 or media_type.strip().startswith(_NEVER_TEXT):
            return None
        if not parameters.endswith("base64"):
            return unquote_to_bytes(data[comma + 1 :])
        data = data[comma + 1 :]
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return None
