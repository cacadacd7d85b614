"""What people see of a page that failed: 503 while the database is away, else 500.

Django calls these in the handling of the exception, wherever between view and browser it was
raised, and has logged it by then: `OutageFilter` says there in one line what is no fault of ours.
"""

import logging
import sys
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from openai_api.errors import Outages
from storage.words import engine_words, outage_behind

RETRY_AFTER_S: Final = 5


def server_error(request: HttpRequest) -> HttpResponse:
    if outage_behind(sys.exc_info()[1]) is not None:
        return _unavailable()
    # Without the request, whose user is in the database.
    page = render_to_string("failed.html", {})
    return HttpResponse(page, status=500, headers={"Cache-Control": "no-store"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A session that could not be saved for the database's sake is a bad request to Django."""
    if outage_behind(exception) is not None:
        return _unavailable()
    return defaults.bad_request(request, exception)


def _unavailable() -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return HttpResponse(render_to_string("unavailable.html", {}), status=503, headers=headers)


class OutageFilter(logging.Filter):
    """Of a page that failed because the database is away: one line a while, without a traceback."""

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
