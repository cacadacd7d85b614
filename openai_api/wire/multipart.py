"""Reads a body with files in it: `multipart/form-data` → fields and uploads.

Comes in: a request whose body has not been read. Goes out: a Form, whole in memory and no larger
than MAX_BODY_BYTES. Raises BodyTooLarge, WrongMediaType, and BadRequest for a form that is cut off
or malformed. A list is a repeated name, with or without the `[]` that the SDKs append, or numbered
as `[0]`, `[1]`, as PHP's clients do.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from openai_api.errors import BadRequest, WrongMediaType
from openai_api.exchange import GatewayRequest
from openai_api.wire.body import media_type, shown
from openai_api.wire.declared import Field
from openai_api.wire.fields import missing

# Bytes parsed in one go; in between the event loop serves other requests.
SLICE_BYTES = 1024 * 1024
MOST_PARTS = 200
_IN_A_LIST = re.compile(r"\[\d{0,3}\]\Z", re.ASCII)
# RFC 2046 allows 70 characters; some clients send more.
LONGEST_BOUNDARY = 256


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form. `media_type` is what the client says, empty when it says nothing."""

    filename: str
    media_type: str
    data: bytes


@dataclass(slots=True)
class Form:
    """Names are without `[]`; each holds its values in the order of the form."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)

    def uploads(self, param: str, *, most: int) -> list[Upload]:
        """The files of that name, none of them empty; raises BadRequest for too many."""
        found = self.files.get(param, [])
        if not found and param in self.fields:
            raise BadRequest(
                f"Invalid type for '{param}': expected a file, but got a text field instead. "
                "Send the file's bytes with a filename.",
                param=param,
                code="invalid_type",
            )
        if len(found) > most:
            raise BadRequest(
                f"Too many files in '{param}': at most {most} are taken, but got {len(found)}.",
                param=param,
                code="invalid_value",
            )
        if any(not upload.data for upload in found):
            raise BadRequest(f"The file in '{param}' is empty.", param=param, code="invalid_value")
        return found

    def upload(self, param: str) -> Upload:
        """The one file of that name; raises BadRequest when there is none, or more."""
        found = self.uploads(param, most=1)
        if not found:
            raise missing(param)
        return found[0]

    def body(self, fields: Mapping[str, Field]) -> dict[str, Any]:
        """The text fields as JSON would have them, for the checks of their declarations.

        A form has only text; a value that cannot be read as its field's type stays text, which the
        check then refuses. An empty field counts as not given.
        """
        values: dict[str, Any] = {}
        for name, texts in self.fields.items():
            given = [text for text in texts if text]
            if not given:
                continue
            field = fields.get(name)
            if field is not None and field.repeats:
                values[name] = given
                continue
            if len(given) > 1:
                raise BadRequest(
                    f"The field '{name}' was sent {len(given)} times, but it takes one value.",
                    param=name,
                    code="invalid_value",
                )
            values[name] = given[0] if field is None else field.of_form(given[0])
        return values


async def form_body(request: GatewayRequest) -> Form:
    """The form in the request's body."""
    named = media_type(request)
    if named != b"multipart/form-data":
        raise WrongMediaType(
            "This endpoint takes a form with files: send it as 'multipart/form-data', "
            + (f"not '{shown(named)}'." if named else "and name that in 'Content-Type'.")
        )
    _, options = parse_options_header(request.raw_headers[b"content-type"])
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise _unreadable("its Content-Type names no usable boundary; let your HTTP client set it")
    body = await request.read_body(settings.MAX_BODY_BYTES)
    return await read_form(boundary, body)


async def read_form(boundary: bytes, body: bytes) -> Form:
    """The form in `body`; raises BadRequest."""
    if not body.strip():
        raise BadRequest("The request body is empty. Send a form.", code="invalid_form")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        for start in range(0, len(body), SLICE_BYTES):
            if start:
                await asyncio.sleep(0)
            parser.write(body[start : start + SLICE_BYTES])
        parser.finalize()
    except FormParserError as error:
        raise _unreadable(str(error)) from None
    if not reader.ended:
        raise _unreadable("it breaks off before its last boundary")
    return reader.form()


@dataclass(slots=True)
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)


class _Reader:
    """Collects what the parser's callbacks report."""

    def __init__(self) -> None:
        self.ended = False
        self._parts: list[_Part] = []
        self._name = bytearray()
        self._value = bytearray()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        if len(self._parts) == MOST_PARTS:
            raise _unreadable(f"it has more than {MOST_PARTS} parts")
        self._parts.append(_Part())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._parts[-1].headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].data += memoryview(data)[start:end]

    def _end(self) -> None:
        self.ended = True

    def form(self) -> Form:
        form = Form()
        for name, part, filename in self._named():
            if filename is None:
                form.fields.setdefault(name, []).append(_text(name, bytes(part.data)))
                continue
            announced = part.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            upload = Upload(filename, announced.decode("latin-1"), bytes(part.data))
            form.files.setdefault(name, []).append(upload)
        return form

    def _named(self) -> Iterator[tuple[str, _Part, str | None]]:
        for part in self._parts:
            _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
            name = _IN_A_LIST.sub("", options.get(b"name", b"").decode("utf-8", "replace"))
            if not name:
                raise _unreadable("one of its parts has no name")
            filename = options.get(b"filename")
            yield name, part, None if filename is None else filename.decode("utf-8", "replace")


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest(
            f"The field '{name}' is not UTF-8 text.", param=name, code="invalid_value"
        ) from None


def _unreadable(why: str) -> BadRequest:
    return BadRequest(f"The form in the body cannot be read: {why}.", code="invalid_form")
