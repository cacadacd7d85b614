"""Files of text, read into the prompt: no model here takes them as files. Pure."""

import base64
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

_TEXT: Final = re.compile(
    r"text/.+|application/(?:.+\+)?(?:json|xml|yaml|x-yaml|toml|javascript|x-sh|sql|x-ndjson)"
)


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
                part.clear()
                part.update(type="text", text=text)


def text_of_file(file: dict[str, Any]) -> str | None:
    """What a file of text says, under its name; None for a file of another kind."""
    data = file.get("file_data")
    if not isinstance(data, str) or data[:5].lower() != "data:":
        return None
    comma = data.find(",")
    media_type, _, parameters = data[5 : max(comma, 5)].lower().partition(";")
    if comma < 0 or _TEXT.fullmatch(media_type.strip()) is None:
        return None
    try:
        if parameters.endswith("base64"):
            content = base64.b64decode(data[comma + 1 :], validate=True)
        else:
            content = unquote_to_bytes(data[comma + 1 :])
        text = content.decode("utf-8-sig")
    except ValueError:
        return None
    name = file.get("filename")
    return f"{name}\n{text}" if isinstance(name, str) and name else text
