"""Documents to Markdown, by Workers AI's own service (`POST ai/tomarkdown`).

Free of charge but for pictures, which it describes with a model: nothing here sends it any. Source:
Cloudflare's documentation of Markdown Conversion, read 2026-11-26. It answers 200 also for a file
that it cannot read, with an error in that file's entry.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from workers_ai.caller import Caller
from workers_ai.client import WorkersAIClient
from workers_ai.errors import UnusableAnswer

# Extension → media type, of what is converted without a model.
DOCUMENT_TYPES: Final[Mapping[str, str]] = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "xls": "application/vnd.ms-excel",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "numbers": "application/vnd.apple.numbers",
}
_OPTIONS: Final = b'{"pdf":{"metadata":false}}'
_NOT_IN_A_NAME: Final = re.compile(r"[^\w. ()-]", re.ASCII)
LONGEST_NAME: Final = 80


class NotConverted(Exception):
    """The service cannot read this document; the text is why, in its own words."""


async def to_markdown(
    client: WorkersAIClient, content: bytes, *, name: str, extension: str, caller: Caller
) -> str:
    """The document's text. `extension` is one of DOCUMENT_TYPES; `name` is shown in the text.

    Raises NotConverted and workers_ai.errors.
    """
    boundary = secrets.token_hex(16).encode()
    form = _form(boundary, content, file_name(name, extension), DOCUMENT_TYPES[extension])
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    answer = await client.to_markdown(form, content_type=kind, caller=caller)
    return _text_of(answer.json(), client)


def file_name(name: str, extension: str) -> str:
    """A name that ends as the kind of the document does, and is safe in a form's header."""
    stem = name[: -len(extension) - 1] if name.lower().endswith(f".{extension}") else name
    stem = _NOT_IN_A_NAME.sub("_", stem.rpartition("/")[2])[:LONGEST_NAME].strip()
    return f"{stem or 'document'}.{extension}"


def _form(boundary: bytes, content: bytes, name: str, media_type: str) -> bytes:
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n'
    return b"".join(
        (
            *(b"--", boundary, b'\r\nContent-Disposition: form-data; name="conversionOptions"'),
            *(b"\r\n\r\n", _OPTIONS, b"\r\n--", boundary, b"\r\n"),
            *(head.encode(), b"Content-Type: ", media_type.encode(), b"\r\n\r\n"),
            *(content, b"\r\n--", boundary, b"--\r\n"),
        )
    )


def _text_of(result: Any, client: WorkersAIClient) -> str:
    entry = result[0] if isinstance(result, list) and result else None
    if not isinstance(entry, dict):
        raise UnusableAnswer("tomarkdown did not answer with a list of documents")
    if entry.get("format") == "error":
        raise NotConverted(client.account.scrubbed(str(entry.get("error") or "no reason given")))
    text = entry.get("data")
    if not isinstance(text, str):
        raise UnusableAnswer("tomarkdown answered with a document without text")
    return text
