"""`multipart/form-data` bodies, read with python-multipart."""

from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


class FormError(Exception):
    """The body is no form; the text says why."""


@dataclass(frozen=True)
class UploadedFile:
    filename: str
    content_type: str
    data: bytes


@dataclass
class Form:
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, UploadedFile] = field(default_factory=dict)
    # Every file with its field's name, which may come again.
    uploads: list[tuple[str, UploadedFile]] = field(default_factory=list)


@dataclass
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""
    data: bytearray = field(default_factory=bytearray)


def read_form(content_type: str, body: bytes) -> Form:
    """Raises `FormError` for a body that is not the form its header announces."""
    _kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise FormError("no boundary in content-type")
    parts: list[_Part] = []
    parser = MultipartParser(boundary, _callbacks(parts))
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise FormError(str(error)) from error
    form = Form()
    for part in parts:
        _add_part(form, part)
    return form


def _callbacks(parts: list[_Part]) -> Any:
    def begin() -> None:
        parts.append(_Part())

    def header_name(data: bytes, start: int, end: int) -> None:
        parts[-1].name += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        parts[-1].value += data[start:end]

    def header_end() -> None:
        part = parts[-1]
        part.headers[part.name.decode("latin-1").lower()] = part.value.decode("latin-1")
        part.name, part.value = b"", b""

    def part_data(data: bytes, start: int, end: int) -> None:
        parts[-1].data += data[start:end]

    return {
        "on_part_begin": begin,
        "on_header_field": header_name,
        "on_header_value": header_value,
        "on_header_end": header_end,
        "on_part_data": part_data,
    }


def _add_part(form: Form, part: _Part) -> None:
    _kind, options = parse_options_header(part.headers.get("content-disposition", ""))
    name = options.get(b"name", b"").decode("utf-8", "replace")
    if not name:
        raise FormError("a part has no name")
    if b"filename" in options:
        form.files[name] = UploadedFile(
            options[b"filename"].decode("utf-8", "replace"),
            part.headers.get("content-type", ""),
            bytes(part.data),
        )
        form.uploads.append((name, form.files[name]))
    else:
        form.fields[name] = part.data.decode("utf-8", "replace")
