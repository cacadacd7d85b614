"""Where mail about a key reaches its owner."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from alerts.models import NoMail


def addresses(owner_ids: Iterable[int | None]) -> dict[int, tuple[str, ...]]:
    """Of those owners who have an address, may sign in, and did not turn mail off."""
    ids = {pk for pk in owner_ids if pk}
    if not ids or not settings.EMAIL_URL:
        return {}
    accounts = get_user_model().objects.filter(pk__in=ids, is_active=True).exclude(email="")
    wanting = accounts.exclude(pk__in=NoMail.objects.values("owner_id"))
    return {pk: (email,) for pk, email in wanting.values_list("pk", "email")}


def wants_mail(user: Any) -> bool:
    return not NoMail.objects.filter(owner=user).exists()


def choose_mail(user: Any, wants: bool) -> None:
    """Whether the owner gets mail about their own keys."""
    if wants:
        NoMail.objects.filter(owner=user).delete()
    else:
        NoMail.objects.get_or_create(owner=user)
