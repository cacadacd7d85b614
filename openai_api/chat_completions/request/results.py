"""What tools gave back that nothing here can read: told in words. Pure.

An agent sends its whole history with each request. What its tools made it cannot change, so a
result that is refused would end the conversation; what the user sends is refused as ever.
"""

import base64
from typing import Any, Final
from urllib.parse import urlsplit

from openai_api.wire.exact_json import as_text
from openai_api.wire.picture_type import sniffed

PICTURE_TYPES: Final = ("image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif")
TEXT_TYPES: Final = ("text", "input_text", "output_text")
# Enough to tell a picture's format, in base64.
_START: Final = 24


def as_result(given: Any) -> str | list[Any]:
    """What a tool gave back as a text or a list of parts: any other JSON is told as JSON."""
    return given if isinstance(given, list) else as_text(given)


def as_part(entry: Any, text_type: str = "text") -> dict[str, Any]:
    """An entry of a tool's result as a part: what is none is told as JSON, in a text."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not kind:
        return {"type": text_type, "text": as_text(entry)}
    if kind in TEXT_TYPES and not isinstance(entry.get("text"), str):
        return {**entry, "text": as_text(entry.get("text"))}
    return entry


def as_arguments(given: Any) -> Any:
    """The arguments of an earlier call as the text that they are in OpenAI's form; some servers
    give them out as the object itself.
    """
    return as_text(given) if isinstance(given, dict | list) else given


def unreadable_picture(url: Any) -> str | None:
    """The words for a picture that no model reads; None for one that may be read."""
    if not isinstance(url, str):
        return "[image: it could not be shown to this model]"
    scheme = url[:30].partition(":")[0].lower()
    if scheme in ("http", "https") and _has_host(url):
        return None
    comma = url.find(",", 0, 300)
    head = url[: max(comma, 0)].lower()
    if scheme != "data" or not head.endswith(";base64"):
        return "[image: it could not be shown to this model]"
    media_type = head[5:].partition(";")[0].strip()
    if media_type not in PICTURE_TYPES:
        return f"[image: no model reads pictures of type {media_type[:60]}]"
    return None


def is_broken_picture(url: str) -> bool:
    """Whether a data URL holds what does not begin as a picture."""
    comma = url.find(",", 0, 300)
    if url[:5].lower() != "data:":
        return False
    data = url[comma + 1 : comma + 1 + _START]
    try:
        return sniffed(base64.b64decode(data[: len(data) // 4 * 4], validate=True)) is None
    except ValueError:
        return True


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url[:2000]).hostname)
    except ValueError:
        return False


def unknown_part(part: Any, types: tuple[str, ...]) -> str | None:
    """The words for a part of a kind that is none of `types`; None where it is one, or no part."""
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or not kind or kind in types:
        return None
    return f"[{kind[:60]}: it could not be passed on to this model]"


def become_text(part: dict[str, Any], text: str, kind: str = "text") -> None:
    """Replaces, in place, a part by a text of type `kind`."""
    part.clear()
    part.update(type=kind, text=text)
