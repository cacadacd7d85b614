"""Pictures that stay in the bytes of the body that they came in: they go upstream as they are, and
parsing and writing their base64 anew took longer than all else that is done with them. Pure.

In place of each one stands a `LeftInBody`, a text that begins as the picture's does and ends in a
mark. `put_back` finds the marks in the body for upstream. A picture is left only where it is one of
a message, which is all that asks nothing of it but its first bytes.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from openai_api.errors import ApiError
from openai_api.wire.fields import json_object

# Shorter ones are parsed as quickly, and some of up to twice as many bytes are not looked at.
LEAST_BYTES: Final = 64 * 1024
# What stands in the text itself: more than anybody reads of a picture that is only passed on.
BEGINNING_BYTES: Final = 8 * 1024

# In a URL, or alone in Anthropic's form: then by the first bytes of a png, jpeg, gif or webp.
_PICTURE: Final = re.compile(
    rb"data:image/[^\"\\,;]{1,30};base64,|(?=iVBOR|/9j/|R0lG|UklG)", re.IGNORECASE
)
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
# Of a mark, which nobody who wrote the body can know.
_SECRET_BYTES: Final = 16
_MARKS_ALIKE: Final = 1 + 2 * _SECRET_BYTES
# Looked at piece by piece: a copy of it all would go through memory.
_PIECE_BYTES: Final = 256 * 1024


class LeftInBody(str):
    """The beginning of a text with a mark at its end, which stands for `rest`, ASCII without
    anything that JSON escapes."""

    __slots__ = ("mark", "rest")
    mark: str
    rest: memoryview

    @classmethod
    def made(cls, shown: str, mark: str, rest: memoryview) -> "LeftInBody":
        text = cls(shown)
        text.mark, text.rest = mark, rest
        return text

    def behind(self, prefix: str) -> "LeftInBody":
        """The text that begins with `prefix` and goes on with this one."""
        return self.made(prefix + self, self.mark, self.rest)

    def whole(self) -> str:
        return self.removesuffix(self.mark) + str(self.rest, "ascii")


def whole(text: str) -> str:
    """The text itself, also of one that was left in the body."""
    return text.whole() if isinstance(text, LeftInBody) else text


def behind(prefix: str, text: str) -> str:
    """`prefix` and `text` in one, the text left where it was."""
    return text.behind(prefix) if isinstance(text, LeftInBody) else prefix + text


def chat_object(body: bytes, *, values_beside: int = 0) -> dict[str, Any]:
    """As `json_object`, but long pictures of messages are LeftInBody."""
    spans = list(_pictures(body)) if len(body) > LEAST_BYTES else ()
    if not spans:
        return json_object(body, values_beside=values_beside)
    secret = os.urandom(_SECRET_BYTES).hex()
    marks: dict[str, memoryview] = {}
    view = memoryview(body)
    pieces: list[bytes | memoryview] = []
    at = 0
    for start, end in spans:
        mark = f"~{secret}{len(marks):08}~"
        marks[mark] = view[start + BEGINNING_BYTES : end]
        pieces += (view[at : start + BEGINNING_BYTES], mark.encode())
        at = end
    pieces.append(view[at:])
    try:
        parsed = json_object(b"".join(pieces), values_beside=values_beside)
    except ApiError:
        # Said of the body itself, with its own places.
        return json_object(body, values_beside=values_beside)
    # One that is anything but a picture of a message is read by somebody.
    if _mark_left(parsed, marks) == len(marks):
        return parsed
    return json_object(body, values_beside=values_beside)


def _pictures(body: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the data of each long picture, in the order of the body."""
    at = LEAST_BYTES
    while at < len(body):
        # Bytes without a quotation mark are passed at the speed of memory, all others by strides.
        end = body.find(b'"', at)
        if end < 0:
            return
        quote = body.rfind(b'"', at - LEAST_BYTES, at)
        if quote >= 0 and end - quote > LEAST_BYTES:
            start = _start_of_data(body, quote)
            if start >= 0 and _is_base64(body, start, end):
                yield start, end
            at = end
        at += LEAST_BYTES


def _start_of_data(body: bytes, quote: int) -> int:
    """Where the data of a picture begins behind a quotation mark, if that is what begins there."""
    # Behind a backslash it stands within a text.
    if body[quote - 1 : quote] == b"\\":
        return -1
    found = _PICTURE.match(body, quote + 1)
    return -1 if found is None else found.end()


def _is_base64(body: bytes, start: int, end: int) -> bool:
    return not any(
        body[at : min(at + _PIECE_BYTES, end)].translate(None, _BASE64)
        for at in range(start, end, _PIECE_BYTES)
    )


def _mark_left(parsed: dict[str, Any], marks: dict[str, memoryview]) -> int:
    """Makes a LeftInBody of each text of a picture that ends in a mark; returns how many."""
    length = len(next(iter(marks)))
    number = 0
    for holder, name in _places(parsed):
        text = holder.get(name)
        if isinstance(text, str) and text[-length:] in marks:
            mark = text[-length:]
            holder[name] = LeftInBody.made(text, mark, marks[mark])
            number += 1
    return number


def _places(parsed: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where the pictures of messages are, in each dialect; nothing is checked yet."""
    for message in _objects(parsed.get("messages")) or _objects(parsed.get("input")):
        for name in ("content", "output"):
            for part in _objects(message.get(name)):
                yield from _in_part(part)
                if part.get("type") == "tool_result":
                    for inner in _objects(part.get("content")):
                        yield from _in_part(inner)


def _in_part(part: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    kind = part.get("type")
    if kind in ("image_url", "input_image"):
        image = part.get("image_url")
        yield (image, "url") if isinstance(image, dict) else (part, "image_url")
    elif kind == "image" and isinstance(part.get("source"), dict):
        yield part["source"], "data"


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


# --- the way back ---------------------------------------------------------------------------------


def left_in(messages: Iterable[dict[str, Any]]) -> tuple[LeftInBody, ...]:
    """The pictures in a payload's messages that were left in the body."""
    return tuple(
        part["image_url"]["url"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "image_url" and isinstance(part["image_url"]["url"], LeftInBody)
    )


def put_back(content: bytes, left: Sequence[LeftInBody]) -> tuple[bytes | memoryview, ...]:
    """The bytes of JSON with the pictures in place of their marks, wherever those are, in pieces
    that copy nothing. `left` is of one body, with one picture at least.
    """
    rests = {picture.mark.encode(): picture.rest for picture in left}
    length = len(left[0].mark)
    view = memoryview(content)
    pieces: list[bytes | memoryview] = []
    at = 0
    # All begin alike, so that one search finds them in whatever order a repair has put them.
    start = left[0].mark[:_MARKS_ALIKE].encode()
    while (found := content.find(start, at)) >= 0:
        pieces += (view[at:found], rests[content[found : found + length]])
        at = found + length
    pieces.append(view[at:])
    return tuple(pieces)
