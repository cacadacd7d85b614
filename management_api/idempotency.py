"""`Idempotency-Key`: a POST that is sent twice is done once, and answered twice.

The answer is kept for a day, in the transaction of what it tells. A refused request leaves nothing
behind, so it can be mended and sent again under the same key. A secret is not kept: the second
answer has null in its place, since a key that the database could give back would be no secret.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.response import Response

from management_api.models import KeptAnswer
from management_api.problems import Problem

KEPT: Final = timedelta(hours=24)
# Of one token; the oldest go first.
MOST_KEPT: Final = 10_000
# How often it is looked whether there are more, in answers.
_LOOKED_EVERY: Final = 50
# The fields of answers that are shown once.
SECRETS: Final = frozenset({"key"})
REPLAYED: Final = "Idempotency-Replayed"
FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = ("Location", "ETag")


def done_once(
    request: Any, do: Callable[..., HttpResponseBase], *args: Any, **kwargs: Any
) -> HttpResponseBase:
    """What `do` answers to the request, or has answered before."""
    name = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if name is None:
        return do(request, *args, **kwargs)
    if FORM.fullmatch(name) is None:
        raise Problem(
            400,
            "invalid_idempotency_key",
            "'Idempotency-Key' takes 1 to 255 visible ASCII characters.",
        )
    asked = _digest(request.path.rstrip("/"), name)
    sent = _digest(json.dumps(request.data, sort_keys=True))
    with transaction.atomic():
        KeptAnswer.objects.filter(made_at__lt=timezone.now() - KEPT).delete()
        # The same request, sent at the same time, waits here until this transaction ends.
        kept, is_first = KeptAnswer.objects.get_or_create(
            token=request.auth, asked=asked, defaults={"sent": sent}
        )
        if not is_first:
            return _again(kept, sent)
        response = do(request, *args, **kwargs)
        if isinstance(response, Response) and response.status_code < 400:
            kept.status = response.status_code
            kept.body = _without_secrets(response.data)
            kept.headers = {
                header: response[header] for header in _KEPT_HEADERS if header in response
            }
            kept.save(update_fields=["status", "body", "headers"])
        else:
            kept.delete()
        if kept.pk is not None and kept.pk % _LOOKED_EVERY == 0:
            _forget_oldest(kept)
    return response


def _forget_oldest(newest: KeptAnswer) -> None:
    same = KeptAnswer.objects.filter(token_id=newest.token_id)
    beyond = same.order_by("-pk").values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + 1]
    for pk in list(beyond):
        same.filter(pk__lte=pk).delete()


def _again(kept: KeptAnswer, sent: str) -> Response:
    if kept.sent != sent:
        raise Problem(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was sent with another body within the last day: take a new one.",
        )
    return Response(kept.body, status=kept.status, headers={**kept.headers, REPLAYED: "true"})


def _without_secrets(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: None if name in SECRETS else value for name, value in body.items()}


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
