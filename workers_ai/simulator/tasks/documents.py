"""`POST ai/tomarkdown`: documents to Markdown, and the list of formats.

Reads what a real document holds as far as that needs no library: the text operators of a PDF's
streams, plain or deflated, and the XML of Office's and OpenDocument's zip files. A file that cannot
be read is an entry with an error in a 200. Pictures are not described.
"""

import io
import re
import uuid
import zipfile
import zlib
from contextlib import suppress
from html import unescape
from typing import Any, Final

from workers_ai.simulator.calls import Call
from workers_ai.simulator.forms import FormError, UploadedFile, read_form
from workers_ai.simulator.models.metering import count_tokens
from workers_ai.simulator.pacing import TASK_SECONDS
from workers_ai.simulator.replies import Refusal, Reply, success

FORMATS: Final = {
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".csv": "text/csv",
    ".html": "text/html",
    ".xml": "application/xml",
}
# Where the text of each zipped format stands, and the elements that hold it.
_TEXT_IN: Final = {
    ".docx": (r"word/document\.xml", rb"<w:t[ >][^<]*|<w:p[ />]"),
    ".xlsx": (r"xl/sharedStrings\.xml", rb"<t[ >][^<]*|<si>"),
    ".xlsm": (r"xl/sharedStrings\.xml", rb"<t[ >][^<]*|<si>"),
    ".odt": (r"content\.xml", rb"<text:[^>]*>[^<]*"),
    ".ods": (r"content\.xml", rb"<text:[^>]*>[^<]*"),
}
_MOST_BYTES: Final = 64 * 1024 * 1024
_STREAM: Final = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN: Final = re.compile(rb"\(((?:[^()\\]|\\.)*)\)\s*(?:Tj|')")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


class _Unreadable(Exception):
    pass


async def supported(call: Call) -> Reply:
    return success([{"extension": end, "mimeType": kind} for end, kind in FORMATS.items()])


async def to_markdown(call: Call) -> Reply:
    if call.content_type != "multipart/form-data":
        raise Refusal(400, 3003, "Request is missing headers or body")
    try:
        form = read_form(call.headers.get("content-type", ""), call.body)
    except FormError as error:
        raise Refusal(400, 3003, f"Bad form: {error}") from None
    files = [file for name, file in form.uploads if name == "files"]
    if not files:
        raise Refusal(400, 3003, "required field 'files' is missing")
    await call.pace.wait(TASK_SECONDS)
    return success([_entry(file) for file in files])


def _entry(file: UploadedFile) -> dict[str, Any]:
    entry = {"id": str(uuid.uuid4()), "name": file.filename, "mimeType": file.content_type}
    try:
        text = _markdown(file)
    except _Unreadable as error:
        return {**entry, "format": "error", "error": str(error)}
    return {**entry, "format": "markdown", "tokens": count_tokens(text), "data": text}


def _markdown(file: UploadedFile) -> str:
    end = "." + file.filename.lower().rpartition(".")[2]
    if end not in FORMATS:
        raise _Unreadable(f"File type not supported: {file.content_type or 'unknown'}")
    if end == ".pdf":
        return f"# {file.filename}\n\n## Contents\n{_pages(file.data)}\n"
    if end in _TEXT_IN:
        return f"# {file.filename}\n\n{_zipped(file.data, *_TEXT_IN[end])}\n"
    return file.data.decode("utf-8", "replace")


def _pages(data: bytes) -> str:
    if not data.startswith(b"%PDF-"):
        raise _Unreadable("Invalid PDF structure")
    if b"/Encrypt" in data:
        raise _Unreadable("No password given")
    pages = []
    for found in _STREAM.finditer(data):
        content = found[1]
        with suppress(zlib.error):  # a stream may not be compressed
            content = zlib.decompressobj().decompress(content, _MOST_BYTES)
        lines = [
            _ESCAPED.sub(rb"\1", said[1]).decode("latin-1") for said in _SHOWN.finditer(content)
        ]
        if lines:
            pages.append("\n".join(lines))
    if not pages and b"/Page" not in data:
        raise _Unreadable("Invalid PDF structure")
    return "\n\n".join(f"### Page {number}\n{text}" for number, text in enumerate(pages, 1))


def _zipped(data: bytes, name: str, pattern: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = next(one for one in archive.namelist() if re.fullmatch(name, one))
            with archive.open(inside) as opened:
                xml = opened.read(_MOST_BYTES)
    except (zipfile.BadZipFile, StopIteration, OSError, zlib.error, RuntimeError):
        raise _Unreadable("The file is corrupt or of another kind") from None
    said = [found.decode("utf-8", "replace").partition(">") for found in re.findall(pattern, xml)]
    return unescape("".join(text if mark else "\n" for _, mark, text in said)).strip()
