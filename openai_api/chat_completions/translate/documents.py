"""Documents in a chat, which are read into the prompt once the request is paid for.

A part of type `file` holds a document in base64 or as a data URL, or the URL of one. What it is,
the first bytes tell; of formats that share them (Office's are all zip), the name or the type does.
Does no input or output.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from django.conf import settings

from openai_api.chat_completions.request import is_file_url
from openai_api.errors import BadRequest
from workers_ai.markdown import DOCUMENT_TYPES

# The first bytes in base64, and the kinds that begin with them: PDF; zip; OLE, the older Office.
_BEGINNINGS: Final = (
    ("JVBERi", ("pdf",)),
    ("UEsDB", ("docx", "xlsx", "xlsm", "xlsb", "odt", "ods", "numbers")),
    ("0M8R4KGx", ("xls",)),
)
_OF_TYPE: Final = {media_type: kind for kind, media_type in DOCUMENT_TYPES.items()}
# The most that a document's text can have of the file's size: text in it is compressed.
MOST_GROWTH: Final = 20
LEAST_BYTES: Final = 2_000
# What it usually has: most of a document is fonts, pictures and structure.
USUAL_SHARE: Final = 4
LONGEST_NAME_SHOWN: Final = 200
# Of a document that has to be fetched, whose size nobody knows yet.
USUAL_BYTES_OF_A_URL: Final = 100_000

Part = dict[str, Any]


class Unread(NamedTuple):
    """The text that documents may add to a prompt: the most bytes, and the likely ones."""

    most_bytes: int
    likely_bytes: int


def is_unread(part: Part) -> bool:
    """Whether it is a document that can be read, and is not yet."""
    if part["type"] != "file" or not settings.DOCUMENTS:
        return False
    data = part["file"].get("file_data")
    return isinstance(data, str) and (is_file_url(data) or kind_of(part["file"]) is not None)


def kind_of(file: Part) -> str | None:
    """The extension, one of DOCUMENT_TYPES, of a file that holds such a document."""
    data = file["file_data"]
    head, start = _head_and_start(data)
    beginning = data[start : start + 8]
    for text, kinds in _BEGINNINGS:
        if beginning.startswith(text):
            named = extension_of(file.get("filename")), _OF_TYPE.get(head)
            # A zip without a name that tells more is none of ours.
            return next(
                (one for one in named if one in kinds), kinds[0] if len(kinds) == 1 else None
            )
    return None


def extension_of(name: Any) -> str:
    return name[-12:].rpartition(".")[2].lower() if isinstance(name, str) else ""


def _head_and_start(data: str) -> tuple[str, int]:
    """The media type of a data URL, and where its base64 begins; of bare base64 "" and 0."""
    if data[:5].lower() != "data:":
        return "", 0
    comma = data.find(",", 0, 300)
    return data[5 : max(comma, 5)].partition(";")[0].strip().lower(), comma + 1


def unread_parts(messages: Iterable[dict[str, Any]]) -> Iterator[Part]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if is_unread(part))


def most_bytes_of(part: Part) -> int:
    """The most bytes of text that this document may have in the prompt. What is set aside for it
    before it is read, so it is cut to that."""
    data: str = part["file"]["file_data"]
    if is_file_url(data):
        return int(settings.DOCUMENT_MAX_TEXT_BYTES)
    return min(settings.DOCUMENT_MAX_TEXT_BYTES, LEAST_BYTES + len(data) * MOST_GROWTH)


def likely_bytes_of(part: Part) -> int:
    data: str = part["file"]["file_data"]
    usual = USUAL_BYTES_OF_A_URL if is_file_url(data) else LEAST_BYTES + len(data) // USUAL_SHARE
    return min(usual, most_bytes_of(part))


def without_unread(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Unread]:
    """The messages without the documents that are still to be read, and how much text those may
    bring."""
    parts = list(unread_parts(messages))
    if not parts:
        return messages, Unread(0, 0)
    left = [
        {**message, "content": [part for part in message["content"] if not is_unread(part)]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]
    return left, Unread(sum(map(most_bytes_of, parts)), sum(map(likely_bytes_of, parts)))


def unreadable_file(messages: Iterable[dict[str, Any]]) -> BadRequest:
    """The refusal of the first file that nothing here reads."""
    files = (
        part["file"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "file" and not is_unread(part)
    )
    file = next(files)
    name = file.get("filename")
    called = f" {name[:LONGEST_NAME_SHOWN]!r}" if isinstance(name, str) and name else ""
    if not isinstance(file.get("file_data"), str):
        why = "this gateway keeps no files: send its data in 'file_data'"
    elif settings.DOCUMENTS:
        kinds = ", ".join(DOCUMENT_TYPES)
        why = f"this gateway reads files of text, and documents of the kinds {kinds}"
    else:
        why = "this gateway reads files of text only, and no documents: send its text"
    return BadRequest(
        f"The file{called} cannot be read: {why}.", param="messages", code="unsupported_content"
    )
