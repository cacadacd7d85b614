"""Forms that make something are idempotent: a double click, a reload of the answer or a restored
tab makes no second one, on whichever worker the second request arrives.

Django renders a new masked CSRF token into each form, so two requests with the same content are the
same rendered form, sent twice. Somebody who goes back and changes a field sends different content,
which is a new form.
https://docs.djangoproject.com/en/5.2/ref/csrf/
"""

import hashlib
from datetime import timedelta
from typing import Final

from django.http import HttpRequest
from django.utils import timezone

from keys.models import SentForm

NAME_OF_TOKEN: Final = "csrfmiddlewaretoken"
# The length of Django's masked token. A shorter one is the cookie's own, which a script may send
# any number of times.
LENGTH_OF_TOKEN: Final = 64
# Browsers restore pages from weeks ago.
KEPT: Final = timedelta(days=30)
MADE_BEFORE: Final = (
    "This form was sent before, so nothing was made this time. The secret was shown once, in the "
    "answer to the first time. If you did not see it, rotate the key."
)


class SentBefore(Exception):
    """The form was sent before. `made_id` is the id of what it made then."""

    def __init__(self, made_id: int) -> None:
        super().__init__("This form was sent before.")
        self.made_id = made_id


class Sending:
    """One form that is being handled: call `made` in the same transaction."""

    def __init__(self, sent: SentForm | None) -> None:
        self._sent = sent

    def made(self, made_id: int) -> None:
        if self._sent is not None:
            self._sent.made_id = made_id
            self._sent.save(update_fields=["made_id"])


def take_form(request: HttpRequest) -> Sending:
    """Call it first in the transaction that makes what the form asks for: the same form, sent at
    the same time, waits here until that transaction ends. Raises `SentBefore`."""
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
