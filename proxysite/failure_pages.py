"""The pages for failures: 503 while the database cannot be reached, else 500; and the same for
the management API, as problem documents.

Django calls these while it handles the exception, wherever between view and browser it was raised,
and has logged it by then: `OutageFilter` makes one line of an outage of the database.
"""

import logging
import sys
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from management_api.problems import (
    Problem,
    internal_error,
    is_management_api,
    problem_response,
    unavailable,
)
from openai_api.errors import Outages
from storage.words import engine_words, outage_behind

RETRY_AFTER_S: Final = 5


def server_error(request: HttpRequest) -> HttpResponse:
    is_outage = outage_behind(sys.exc_info()[1]) is not None
    if is_management_api(request.path_info):
        return problem_response(unavailable() if is_outage else internal_error())
    if is_outage:
        return _unavailable()
    # Without the request, whose user is in the database.
    page = render_to_string("failed.html", {})
    return HttpResponse(page, status=500, headers={"Cache-Control": "no-store"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """To Django, a session that the database could not save is a bad request."""
    if is_management_api(request.path_info):
        return problem_response(Problem(400, "bad_request", "The request cannot be read."))
    if outage_behind(exception) is not None:
        return _unavailable()
    # Not Django's own, which reads the form once more: that may be what cannot be read.
    return HttpResponse(render_to_string("400.html", request=request), status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """As `bad_request`, without reading a form. Where a view has raised it, it has words."""
    words = exception.args[0] if exception.args else ""
    context = {"exception": words if isinstance(words, str) else ""}
    return HttpResponse(render_to_string("404.html", context, request=request), status=404)


def _unavailable() -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return HttpResponse(render_to_string("unavailable.html", {}), status=503, headers=headers)


class OutageFilter(logging.Filter):
    """For pages that fail because the database cannot be reached: few lines, without tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self._outages = Outages()

    def filter(self, record: logging.LogRecord) -> bool:
        outage = outage_behind(record.exc_info[1]) if record.exc_info else None
        if outage is None:
            return True
        unsaid = self._outages.unsaid("page")
        if unsaid is None:
            return False
        more = f" ({unsaid} more since the last such line)" if unsaid else ""
        record.msg = "A page needs the database, which cannot be used: %s%s"
        record.args = (engine_words(outage), more)
        record.exc_info = record.exc_text = None
        return True
