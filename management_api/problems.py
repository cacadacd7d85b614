"""Problem documents (RFC 9457): the one form of everything that goes wrong below `/api/`.

`code` is a short name for programs, `errors` names each field that is wrong by a JSON pointer into
the request's body (or `?name` for a parameter of the URL).
https://www.rfc-editor.org/rfc/rfc9457
"""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from django.http import HttpResponse

CONTENT_TYPE: Final = "application/problem+json"
# Texts that a caller sent are quoted up to here.
_LONGEST: Final = 300


def is_management_api(path: str) -> bool:
    """`path` is below the gateway's prefix."""
    return path.startswith("/api/")


class FieldError(NamedTuple):
    pointer: str
    detail: str


class Problem(Exception):
    """What a view raises. The texts are for the caller."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def problem_body(problem: Problem) -> bytes:
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.errors:
        told["errors"] = [
            {"pointer": error.pointer, "detail": error.detail[:_LONGEST]}
            for error in problem.errors
        ]
    # ASCII only: a caller's own text may have what UTF-8 has not.
    return json.dumps(told).encode()


def problem_response(problem: Problem) -> HttpResponse:
    response = HttpResponse(problem_body(problem), status=problem.status, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    for name, value in problem.headers.items():
        response[name] = value
    return response


def bad_parameter(name: str, detail: str) -> Problem:
    """A parameter of the URL that cannot be used."""
    return Problem(400, "invalid_parameter", detail, errors=[FieldError(f"?{name}", detail)])


def bad_field(pointer: str, detail: str) -> Problem:
    """`pointer` as in '#/limits/rpm'."""
    return Problem(422, "invalid_fields", detail, errors=[FieldError(pointer, detail)])


def not_found(what: str = "There is nothing here.") -> Problem:
    return Problem(404, "not_found", what)


def conflict(detail: str, code: str = "conflict") -> Problem:
    return Problem(409, code, detail)


def unavailable() -> Problem:
    return Problem(
        503,
        "database_unavailable",
        "The database cannot be used at the moment. Nothing was changed, or this request is not "
        "known to have changed anything: repeat it with its Idempotency-Key, or read first.",
        headers={"Retry-After": "5"},
    )


def internal_error() -> Problem:
    return Problem(500, "internal_error", "The gateway failed. Its log has the request's id.")


def sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def child(pointer: str, name: object) -> str:
    """The pointer of a field below another (RFC 6901)."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
