"""A form that makes something makes one, however often it is sent: a double click, a reload of the
page that answered, a tab that is brought back, on whichever worker.

Django writes another token against forgery into each form that it draws, so what was sent tells one
drawing from another: sent twice with the same content it is the same form. Somebody who goes back
and writes something else into it means another thing, and gets it.
https://docs.djangoproject.com/en/5.2/ref/csrf/
"""

import hashlib
from datetime import timedelta
from typing import Final

from django.http import HttpRequest
from django.utils import timezone

from keys.models import SentForm

NAME_OF_TOKEN: Final = "csrfmiddlewaretoken"
# Django's masked token. What is shorter is the cookie's, which a script may send any number of
# times.
LENGTH_OF_TOKEN: Final = 64
# Browsers bring back the pages of weeks ago.
KEPT: Final = timedelta(days=30)
MADE_BEFORE: Final = (
    "This form was sent before: nothing was made again. The secret that it made was shown once, in "
    "the answer to the first time. If you did not see it, rotate the key."
)


class SentBefore(Exception):
    """`made_id` is what the form made then."""

    def __init__(self, made_id: int) -> None:
        super().__init__("This form was sent before.")
        self.made_id = made_id


class Sending:
    """To be told what it made, in the same transaction."""

    def __init__(self, sent: SentForm | None) -> None:
        self._sent = sent

    def made(self, made_id: int) -> None:
        if self._sent is not None:
            self._sent.made_id = made_id
            self._sent.save(update_fields=["made_id"])


def take_form(request: HttpRequest) -> Sending:
    """First in the transaction that makes what the form asks for: the same form, sent at the same
    time, waits here for its end. Raises `SentBefore`."""
    token = request.POST.get(NAME_OF_TOKEN, "")
    if len(token) != LENGTH_OF_TOKEN:
        return Sending(None)
    content = f"{request.path}\0{request.POST.urlencode()}"
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    sent, is_first = SentForm.objects.get_or_create(digest=digest)
    if not is_first:
        raise SentBefore(sent.made_id)
    SentForm.objects.filter(sent_at__lt=timezone.now() - KEPT).delete()
    return Sending(sent)
