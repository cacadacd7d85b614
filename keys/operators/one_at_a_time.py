"""Of two who send a form at once the second reads what the first has saved, so that it is told in
the form's own words, and nothing that was deleted meanwhile comes back."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from keys.models import Revision


class OneAtATime:
    """For the admin of a record that has limits. The lock is taken before the record is read, and
    before any row is locked, as everywhere."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            _lock(request)
            shown: HttpResponse = super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]
            return shown

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            _lock(request)
            shown: HttpResponse = super().delete_view(request, *args, **kwargs)  # type: ignore[misc]
            return shown


def _lock(request: HttpRequest) -> None:
    if request.method == "POST":
        Revision.take_next()
