"""Reads one document of a chat: Workers AI turns it into Markdown, which costs nothing.

Its text is bounded in pages and bytes, and the reading in time. Agents send a document again with
each request of a conversation, so this worker remembers texts for a while, of each key within its
share of a bound; they are written nowhere. Raises ApiError naming the part, and WorkersAIError.
"""

import asyncio
import base64
import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.conf import settings

from openai_api import upstream
from openai_api.chat_completions.picture_fetch import Fetch
from openai_api.chat_completions.recent_items import RecentItems
from openai_api.chat_completions.request import is_file_url
from openai_api.chat_completions.translate.documents import (
    kind_of,
    most_bytes_of,
)
from openai_api.chat_completions.translate.text_files import decoded_text
from openai_api.errors import BadRequest
from openai_api.exchange import Exchange
from workers_ai.errors import TimedOut
from workers_ai.http.fair_semaphore import FairSemaphore
from workers_ai.markdown import NotConverted, to_markdown

# Of one process, of which a caller alone gets half.
READ_AT_ONCE: Final = 16
REMEMBERED_S: Final = 3600.0
# Decoding and hashing take a millisecond or two for each megabyte.
DECODED_ON_THE_LOOP: Final = 256 * 1024
_large_documents: Final = ThreadPoolExecutor(1, "documents")
_PAGE: Final = re.compile(r"^### Page (\d{1,9})[ \t]*$", re.MULTILINE)
_SHOWN_KINDS: Final = "files of text, and PDF, Word, Excel and OpenDocument"


class DocumentReader:
    """What all reading of one event loop shares."""

    def __init__(self) -> None:
        self.turns = FairSemaphore(READ_AT_ONCE)
        self.texts = RecentItems(settings.DOCUMENT_MEMORY_BYTES, REMEMBERED_S, clock=time.monotonic)


_reader: DocumentReader | None = None
_loop: asyncio.AbstractEventLoop | None = None


def reader() -> DocumentReader:
    """The reader of the running loop."""
    global _reader, _loop
    loop = asyncio.get_running_loop()
    if _reader is None or _loop is not loop:
        _reader, _loop = DocumentReader(), loop
    return _reader


async def read_document(exchange: Exchange, part: dict[str, Any], param: str, fetch: Fetch) -> str:
    """The text of the document in `part`, under its name, within what was set aside for it."""
    file = part["file"]
    data, given = file["file_data"], file.get("filename")
    name = given if isinstance(given, str) else ""
    if is_file_url(data):
        content = await fetch.document(data, param)
        name = name or data.partition("?")[0].rpartition("/")[2]
        digest = await _off_the_loop(len(content), _digest, content)
        start = base64.b64encode(content[:12]).decode()
        kind = kind_of({"file_data": start, "filename": name})
    else:
        content, digest = await _off_the_loop(len(data), _decoded, data, param)
        kind = kind_of(file)
    text = decoded_text(content) if kind is None else None
    if kind is not None:
        kept = reader().texts.find(exchange.key.id, digest)
        text = kept["text"] if kept is not None else None
        if text is None:
            text = await _converted(exchange, content, name, kind, param)
            reader().texts.keep(exchange.key.id, [{"id": digest, "text": text}])
    if text is None:
        raise _unreadable(param, f"it is none of {_SHOWN_KINDS}")
    named = f"{name}\n{text}" if name and not text.startswith(f"# {name}") else text
    return _cut(named, most_bytes_of(part))


async def _converted(exchange: Exchange, content: bytes, name: str, kind: str, param: str) -> str:
    caller, limit_s = exchange.caller, settings.DOCUMENT_TIMEOUT
    try:
        async with asyncio.timeout(limit_s):
            await reader().turns.acquire(caller.id)
            try:
                text = await to_markdown(
                    upstream.client(), content, name=name, extension=kind, caller=caller
                )
            finally:
                reader().turns.release(caller.id)
    except TimeoutError:
        raise TimedOut("first_byte", limit_s, "a document was not read in time") from None
    except NotConverted as error:
        raise _unreadable(param, str(error)[:500]) from None
    if not text.strip():
        return "[The document has no text: it may consist of pictures.]"
    return _cut(_first_pages(text), settings.DOCUMENT_MAX_TEXT_BYTES)


def _first_pages(text: str) -> str:
    """Workers AI begins each page of a PDF with its number."""
    most = settings.DOCUMENT_MAX_PAGES
    for found in _PAGE.finditer(text):
        if int(found[1]) > most:
            return f"{text[: found.start()]}\n[The document goes on: {most} pages are read.]"
    return text


def _cut(text: str, most_bytes: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return text
    end = "\n[The document goes on: it is cut here.]"
    return encoded[: max(most_bytes - len(end), 0)].decode("utf-8", "ignore") + end


async def _off_the_loop(size: int, work: Any, *values: Any) -> Any:
    if size <= DECODED_ON_THE_LOOP:
        return work(*values)
    return await asyncio.get_running_loop().run_in_executor(_large_documents, work, *values)


def _decoded(data: str, param: str) -> tuple[bytes, str]:
    start = data.find(",", 0, 300) + 1 if data[:5].lower() == "data:" else 0
    try:
        content = base64.b64decode(data[start:], validate=True)
    except ValueError:
        raise _unreadable(param, "its data is no valid base64") from None
    return content, _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _unreadable(param: str, why: str) -> BadRequest:
    return BadRequest(
        f"The document at '{param}' cannot be read: {why}.", param=param, code="invalid_document"
    )
