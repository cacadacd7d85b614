"""What is used of limits by the minute and of requests at once, as the counters have it that decide
them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from keys.access.key_record import KeyRecord
from keys.held_limits import Subject
from keys.limits.counters import Counted
from keys.limits.process_counters import process_counters
from keys.reports.limit_use import LimitUse
from keys.request_scopes import is_rate, rate_scopes
from keys.scopes import Scope


async def with_rates(uses: Sequence[LimitUse], key: KeyRecord, user: str) -> list[LimitUse]:
    """The uses, with those filled in that the database does not know. The limits of each user are
    those of `user`, if one is named."""
    rates = [use.limit for use in uses if is_rate(use.limit)]
    scopes = [
        replace(scope, name=user) if scope.kind == "user" else scope
        for scope in rate_scopes(rates, {"team": key.team_name})
        if scope.kind != "user" or user
    ]
    counted = await process_counters.counted(scopes)
    by_place = {_place(scope): each for scope, each in zip(scopes, counted, strict=True)}
    now = timezone.now().astimezone(UTC)
    return [_filled(use, by_place.get(_place(use.limit.subject)), now) for use in uses]


def _place(whose: Scope | Subject) -> tuple[Any, ...]:
    if isinstance(whose, Scope):
        return whose.kind, whose.id, whose.models
    return whose.holder_kind, whose.holder_id, whose.models


def _filled(use: LimitUse, counted: Counted | None, now: datetime) -> LimitUse:
    if counted is None or not is_rate(use.limit):
        return use
    if use.limit.subject.what == "concurrency":
        return replace(use, used=counted.running)
    used, rest_s = counted.requests, counted.requests_reset_after_s
    if use.limit.subject.what == "tokens":
        used, rest_s = counted.tokens, counted.tokens_reset_after_s
    return replace(use, used=used, resets_at=now + timedelta(seconds=rest_s))
