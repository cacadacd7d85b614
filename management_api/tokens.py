"""Service tokens issued, revoked and found, each change with an entry in the token's history."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from keys import key_text
from keys.key_history import SERVICE_ACCOUNTS, note_change, note_made
from keys.key_json import iso
from management_api.models import ServiceToken

LONGEST_LIFE: Final = timedelta(days=3660)
# How exact `last_used_at` is: a write for each request would wait for the disk.
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class NoSuchToken(LookupError):
    """The text names no service token, or more than one."""


def issue_token(token: ServiceToken, by_id: int, how: str = "") -> str:
    """Stores a token that has its name, scopes and expiry, and returns its text, which cannot be
    shown again. Raises ValidationError with the name of the field."""
    token.name = token.name.strip()
    with transaction.atomic():
        text = token.take_secret()
        token.full_clean(exclude=["account"])
        try:
            check_expiry(token.expires_at)
        except ValidationError as error:
            raise ValidationError({"expires_at": error.messages}) from None
        token.account = _account_of(token.name)
        token.save(force_insert=True)
        told = f"Issued, {token.shown}, for {', '.join(token.scopes)}"
        note_made(token, by_id, f"{told}, {how}." if how else f"{told}.")
    return text


def check_expiry(moment: datetime) -> None:
    """Raises ValidationError."""
    now = timezone.now()
    if moment <= now:
        raise ValidationError("This moment is over: choose a later one.")
    if moment > now + LONGEST_LIFE:
        raise ValidationError("A token expires within ten years.")


def revoke_token(token: ServiceToken, by_id: int, how: str = "") -> bool:
    """False where it was revoked before. It cannot be undone."""
    with transaction.atomic():
        now = timezone.now()
        if not ServiceToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            return False
        token.revoked_at = now
        note_change(token, by_id, f"Revoked {how}." if how else "Revoked.")
    return True


def token_named(text: str) -> ServiceToken:
    """`text` is an id or a display prefix that only one token has. Raises `NoSuchToken`."""
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 19:
        found = list(ServiceToken.objects.filter(pk=int(text)))
    else:
        prefix = key_text.display_prefix(text, key_text.SERVICE_PREFIX)
        found = [] if "\0" in text else list(ServiceToken.objects.filter(prefix=prefix)[:2])
    if len(found) != 1:
        many = "more than one token begins" if found else "no service token has this id or begins"
        raise NoSuchToken(f"{many} so: it takes an id from list_service_tokens")
    return found[0]


def token_with_text(text: str) -> ServiceToken | None:
    """The token with this secret, if it is in force."""
    if not key_text.is_well_formed(text, key_text.SERVICE_PREFIX):
        return None
    digest = key_text.digest(text)
    token = ServiceToken.objects.select_related("account").filter(sha256=digest.hex()).first()
    if token is None or not key_text.same_digest(bytes.fromhex(token.sha256), digest):
        return None
    return token if token.state() == "active" else None


def note_use(token: ServiceToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - _USE_NOTED_EVERY:
        ServiceToken.objects.filter(pk=token.pk).update(last_used_at=now)


def tokens_as_json(tokens: Iterable[ServiceToken]) -> list[dict[str, Any]]:
    now = timezone.now()
    return [_shown(token, now) for token in tokens]


def _shown(token: ServiceToken, now: datetime) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "prefix": token.prefix,
        "last_four": token.last_four,
        "state": token.state(now),
        "scopes": token.scopes,
        "networks": token.allowed_networks,
        "requests_per_minute": token.requests_per_minute,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
        "revoked_at": iso(token.revoked_at),
        "last_used_at": iso(token.last_used_at),
    }


def _account_of(name: str) -> Any:
    account, _ = get_user_model().objects.get_or_create(
        username=f"{SERVICE_ACCOUNTS}{name}",
        defaults={"is_active": False, "password": make_password(None)},
    )
    return account
