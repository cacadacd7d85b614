"""System checks: settings that are valid one by one and wrong in combination, or unsafe."""

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from keys.access.authentication import MAX_KEY_LENGTH
from keys.key_text import PREFIX
from keys.member.policy import ceiling_of_new_keys

SHORTEST_STATIC_KEY: Final = 16


@register("keys")
def check_static_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    key = settings.PROXY_API_KEY
    if not key:
        return []
    # No message may quote the value: it is a secret.
    if not SHORTEST_STATIC_KEY <= len(key) <= MAX_KEY_LENGTH:
        return [
            Error(
                f"PROXY_API_KEY has {len(key)} characters: it takes "
                f"{SHORTEST_STATIC_KEY} to {MAX_KEY_LENGTH}.",
                hint="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one.",
                id="keys.E001",
            )
        ]
    if "," in key or not all("!" <= character <= "~" for character in key):
        return [
            Error(
                "PROXY_API_KEY contains a space, a comma or a character outside ASCII, "
                "so no client could send it.",
                id="keys.E002",
            )
        ]
    if key.startswith(PREFIX):
        return [
            Error(
                f"PROXY_API_KEY begins with {PREFIX!r} like the keys that this gateway issues.",
                hint="Issued keys work without being set here. Use a value of its own.",
                id="keys.E003",
            )
        ]
    return []


@register("keys")
def check_limits_of_members_keys(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    try:
        ceiling_of_new_keys()
    except ValueError as error:
        return [Error(f"MEMBER_KEY_LIMITS cannot be used: {error}.", id="keys.E004")]
    return []


@register(Tags.security, deploy=True)
def check_who_can_make_keys(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    limited = settings.MEMBER_KEY_LIMITS or not settings.MEMBER_MAX_KEYS
    if not settings.OIDC_ISSUER or settings.OIDC_EMAIL_DOMAINS or limited:
        return []
    return [
        Warning(
            "Everyone whom OIDC_ISSUER lets in can make keys without limits.",
            hint="Set MEMBER_KEY_LIMITS, OIDC_EMAIL_DOMAINS or MEMBER_MAX_KEYS=0.",
            id="keys.W002",
        )
    ]


@register("keys")
def check_limits_are_shared(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if settings.WEB_CONCURRENCY <= 1 or settings.REDIS_URL:
        return []
    return [
        Warning(
            f"WEB_CONCURRENCY is {settings.WEB_CONCURRENCY} and REDIS_URL is not set: each worker "
            "counts requests and tokens per minute by itself, so a key can have "
            f"{settings.WEB_CONCURRENCY} times its limits. Of the account's own rates each worker "
            "has an equal share.",
            hint="Set REDIS_URL, or run one worker.",
            id="keys.W001",
        )
    ]
