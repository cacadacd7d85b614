"""The HTTP answer for a failure, in the dialect that the caller speaks."""

from collections.abc import Mapping

from django.http import HttpResponse

from openai_api.errors.anthropic import in_words_of_anthropic
from openai_api.errors.reporting import report
from openai_api.errors.responses import in_words_of_responses
from openai_api.errors.rules import api_error
from openai_api.errors.tree import UnknownPath

# Sent with every request by Anthropic's clients; paths that both dialects have are told by it.
ANTHROPIC_VERSION = b"anthropic-version"
NO_HEADERS: Mapping[bytes, bytes] = {}


def error_response(
    error: Exception,
    *,
    request_id: str,
    path: str = "",
    raw_headers: Mapping[bytes, bytes] = NO_HEADERS,
) -> HttpResponse:
    """The whole answer for a failure, logged where an operator should know of it.

    `path` is what follows `/v1`: it tells which dialect the caller speaks, and the request's
    headers where both have the path or none has it.
    """
    report(error, request_id=request_id)
    shown = api_error(error)
    status, body, headers = shown.status, shown.body(), shown.headers
    dialect = path.partition("/")[0]
    if dialect == "responses":
        body = in_words_of_responses(shown).body()
    elif dialect == "messages" or (
        ANTHROPIC_VERSION in raw_headers and (dialect == "models" or isinstance(error, UnknownPath))
    ):
        status, body = in_words_of_anthropic(shown, request_id=request_id)
        headers = {**headers, "request-id": request_id}
    response = HttpResponse(body, status=status, content_type="application/json")
    for name, value in headers.items():
        response[name] = value
    return response
