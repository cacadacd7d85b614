"""Turns what views and DRF raise into problem documents."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as ModelError
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from keys.errors import CannotChangeKey
from keys.written_limits import BadLimit
from management_api.problems import (
    FieldError,
    Problem,
    bad_field,
    child,
    conflict,
    not_found,
    problem_response,
    sentence,
    unavailable,
)
from storage.words import is_outage

# Fields of the models, and where requests have them; others have the same name.
_POINTERS: Final = {
    "allowed_models": "#/limits/models",
    "allowed_endpoints": "#/limits/endpoints",
    "allowed_networks": "#/limits/networks",
    "__all__": "#",
}


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """The response for `error`; None for what is a fault of the gateway's own."""
    problem = problem_of(error)
    if problem is None:
        return None
    if problem.status == 401:
        problem.headers.setdefault("WWW-Authenticate", 'Bearer realm="management API"')
    return problem_response(problem)


def problem_of(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if isinstance(error, ModelError):
        errors = list(_of_model(error))
        return Problem(422, "invalid_fields", _detail(errors), errors=errors)
    if isinstance(error, BadLimit):
        return bad_field("#/limits", sentence(error))
    if isinstance(error, CannotChangeKey):
        return conflict(str(error))
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", "This is not allowed.")
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "body_too_large", "The body is too large.")
    return unavailable() if is_outage(error) else None


def _of_framework(error: exceptions.APIException) -> Problem:
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.detail, "#"))
        return Problem(422, "invalid_fields", _detail(errors), errors=errors)
    codes = {400: "bad_request", 401: "invalid_token", 403: "forbidden", 404: "not_found"}
    codes |= {405: "method_not_allowed", 406: "not_acceptable", 415: "unsupported_media_type"}
    status = error.status_code
    return Problem(status, codes.get(status, "refused"), str(error.detail))


def _flat(detail: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            at = pointer if name == "non_field_errors" else child(pointer, name)
            yield from _flat(inner, at)
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            is_text = not isinstance(inner, list | Mapping)
            yield from _flat(inner, pointer if is_text else child(pointer, number))
    else:
        yield FieldError(pointer, str(detail))


def _of_model(error: ModelError) -> Iterator[FieldError]:
    if not hasattr(error, "error_dict"):
        yield from (FieldError("#", text) for text in error.messages)
        return
    for name, texts in error.message_dict.items():
        pointer = _POINTERS.get(name, f"#/{name}")
        yield from (FieldError(pointer, text) for text in texts)


def _detail(errors: list[FieldError]) -> str:
    first = errors[0] if errors else FieldError("#", "The body cannot be used.")
    where = f"{first.pointer}: " if first.pointer != "#" else ""
    more = f" ({len(errors) - 1} more in 'errors')" if len(errors) > 1 else ""
    return f"{where}{first.detail}{more}"
