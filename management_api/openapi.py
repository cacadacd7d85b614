"""The OpenAPI document of the API, made from its views, and a page to read it.

Both are for everybody, as they tell nothing of this gateway's own, and are made once a process."""

import inspect
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

from management_api.base import View
from management_api.fields import Fields
from management_api.idempotency import FORM
from management_api.parsing import MOST_BYTES
from management_api.problems import CONTENT_TYPE, Problem, problem_response
from management_api.resources.raises import OfHolders
from management_api.scopes import SAFE_METHODS, scope_for

_WORDS: Final = """Everything that operators do in the admin, for scripts and dashboards.

Send `Authorization: Bearer sk-wai-service-…`, and JSON. Lists come in pages: `next_cursor` leads
on. A POST may carry an `Idempotency-Key`, a change the ETag that it is meant for in `If-Match`.
Whatever goes wrong is told as a problem document (RFC 9457), whose `errors` name the fields. Days
and months are UTC. USD and neurons are exact text."""
_METHODS: Final = ("get", "post", "put", "patch", "delete")


class ServiceTokens(OpenApiAuthenticationExtension):
    target_class = "management_api.authentication.ServiceTokenAuthentication"
    name = "service token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


# Of classes that others stand on, and so of no operation or object.
_OF_BASES: Final = frozenset(inspect.getdoc(base) for base in (View, OfHolders, Fields))
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemFields"}
_FAILURES: Final = {
    "401": "No service token, or none that is in force.",
    "403": "The token lacks the scope, or may not be used from this network.",
    "429": "The token's requests of this minute are used up.",
    "503": "The database cannot be used at the moment.",
}
_FAILURES_OF_BODIES: Final = {
    "400": "The body is no JSON object, or a header or parameter is malformed.",
    "413": f"The body has more than {MOST_BYTES} bytes.",
    "415": "The body is of another type than application/json.",
}


def _header(name: str, words: str, **shape: str) -> dict[str, Any]:
    schema = {"type": "string", **shape}
    return {"in": "header", "name": name, "schema": schema, "description": words}


_IF_MATCH: Final = _header("If-Match", "The ETag of the state that the change is meant for.")
_ONCE: Final = "Sent twice within a day, the request is done once."
_HEADERS: Final = {
    "post": _header("Idempotency-Key", _ONCE, pattern=f"^{FORM.pattern}$"),
    "patch": _IF_MATCH,
    "delete": _IF_MATCH,
}


@cache
def document() -> dict[str, Any]:
    """The whole document, as `json` takes it."""
    own = {
        "TITLE": "Workers AI Gateway: management API",
        "DESCRIPTION": _WORDS,
        "VERSION": "1",
        "SERVERS": [{"url": f"{settings.URL_PREFIX}/api"}],
        "SCHEMA_PATH_PREFIX": "/",
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    }
    generator = SchemaGenerator(urlconf="management_api.urls")
    with patched_settings(own), GENERATOR_STATS.silence():
        told: dict[str, Any] = generator.get_schema(request=None, public=True)
    for path, operations in told["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(operations[method], path, method)
    for schema in told["components"]["schemas"].values():
        if schema.get("description") in _OF_BASES:
            del schema["description"]
    return told


def _complete(operation: dict[str, Any], path: str, method: str) -> None:
    """What all operations have, or all of a method."""
    operation["tags"] = [path.split("/")[1]]
    operation["x-scopes"] = scopes_of(path, method)
    if operation.get("description") in _OF_BASES:
        del operation["description"]
    of_body = _FAILURES_OF_BODIES if method in ("post", "put", "patch") else {}
    for status, words in (_FAILURES | of_body).items():
        operation["responses"].setdefault(
            status, {"description": words, "content": {CONTENT_TYPE: {"schema": _PROBLEM}}}
        )
    if method in _HEADERS:
        operation.setdefault("parameters", []).append(_HEADERS[method])


def scopes_of(path: str, method: str) -> list[str]:
    """The scopes of which a token needs one, which is that of the holder where there are two."""
    name = path.split("/")[1]
    families = {
        "owners": ("keys",),
        "limits": ("keys", "teams"),
        "raises": ("keys", "teams"),
        "models": ("catalog",),
        "aliases": ("catalog",),
        "refreshes": ("catalog",),
        "raise-requests": ("keys", "teams"),
    }.get(name, (name,))
    if path == "/raise-requests/" and method == "post":
        families = ("keys",)
    return [scope_for(family, method.upper()) for family in families]


@cache
def _bytes() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


def _read_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    @csrf_exempt
    def read(request: HttpRequest) -> HttpResponse:
        if request.method in SAFE_METHODS:
            return view(request)
        allowed = {"Allow": "GET, HEAD, OPTIONS"}
        told = "This can only be read."
        return problem_response(Problem(405, "method_not_allowed", told, headers=allowed))

    return read


@_read_only
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_bytes(), content_type="application/vnd.oai.openapi+json")


@_read_only
def page(request: HttpRequest) -> HttpResponse:
    words = document()["info"]["description"].replace("`", "")
    return render(request, "management_api/docs.html", {"groups": _groups(), "words": words})


@cache
def _groups() -> list[dict[str, Any]]:
    """What the page shows: the operations by their first segment."""
    told = document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in told["paths"].items():
        for method in _METHODS:
            if method in operations:
                shown = _operation(told, path, method, operations[method])
                groups.setdefault(path.split("/")[1], []).append(shown)
    return [{"name": name, "operations": shown} for name, shown in groups.items()]


def _operation(
    told: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good = [status for status in operation["responses"] if status.startswith("2")]
    answer = operation["responses"][good[0]].get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": f"/api{path}",
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "scopes": " or ".join(operation["x-scopes"]),
        "parameters": operation.get("parameters", ()),
        "fields": _fields(told, body.get("schema", {})),
        "status": good[0],
        "answer": _fields(told, answer.get("schema", {})),
        "failures": ", ".join(sorted(s for s in operation["responses"] if s > "3")),
    }


def _fields(told: dict[str, Any], schema: dict[str, Any], before: str = "") -> list[dict[str, Any]]:
    """The fields of an object, with those of the objects in it."""
    schema = _resolved(told, schema)
    if schema.get("type") == "array":
        return _fields(told, schema["items"], f"{before}[].")
    found = []
    for name, field in schema.get("properties", {}).items():
        inner = _resolved(told, field)
        found.append(
            {
                "name": f"{before}{name}",
                "type": _type(inner),
                "required": name in schema.get("required", ()),
                "words": field.get("description") or inner.get("description", ""),
            }
        )
        found += _fields(told, inner, f"{before}{name}.")
    return found


def _resolved(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    [link] = [schema.get("$ref")] if "allOf" not in schema else [schema["allOf"][0].get("$ref")]
    if link is None:
        return schema
    named: dict[str, Any] = told["components"]["schemas"][link.rsplit("/", 1)[-1]]
    return named


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "oneOf" in schema:
        return " | ".join(dict.fromkeys(each.get("type", "null") for each in schema["oneOf"]))
    words = str(schema.get("type", "any"))
    return f"{words} | null" if schema.get("nullable") else words
