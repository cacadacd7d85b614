"""Several Cloudflare accounts, as far as this process knows: which rest, and which to ask first.

An account rests after Cloudflare refused its token, or said that its neurons or a spend limit are
used up; one model of it rests where the account may not use that model. A rest is short, so that
what was mended is soon found out. An account at rest is asked all the same when no other is left.
"""

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from django.conf import settings

LONGEST_REST_S: Final = 900.0
RESTS_KEPT: Final = 2_000
# Shares of neurons left are told apart in so many steps, so that conversations rarely move.
STEPS: Final = 10
_LITTLE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Rest:
    """`until` on the monotonic clock; `model` is empty where the whole account rests."""

    account: str
    model: str
    until: float
    why: str

    @property
    def left_s(self) -> float:
        return max(0.0, self.until - time.monotonic())


_rests: dict[tuple[str, str], Rest] = {}
# Neurons that each account used today, by this gateway's books.
_used: Mapping[str, int] = {}


def names() -> list[str]:
    """The accounts' names in the order of the settings; none where there is only one account."""
    return list(settings.CLOUDFLARE_ACCOUNT_NAMES)


def note_used(neurons: Mapping[str, int]) -> None:
    """What each account used today."""
    global _used
    _used = neurons


def neurons_left(account: str) -> int:
    """Of the free ones of today, by this gateway's books."""
    return max(0, settings.FREE_DAILY_NEURONS - _used.get(account, 0))


def order(conversation: str, model: str) -> list[str]:
    """The accounts as a request should ask them: without those that rest, unless all do; each as
    often first as its weight says. For one conversation it is always the same, on every worker, as
    long as no weight changes ("rendezvous hashing"); an empty one is nobody's.
    """
    key = conversation or str(random.random())
    found = sorted(names(), key=lambda name: _distance(name, key))
    return [name for name in found if not is_at_rest(name, model)] or found


def is_at_rest(account: str, model: str) -> bool:
    return _is_on(_rests.get((account, ""))) or _is_on(_rests.get((account, model)))


def rests() -> list[Rest]:
    """Those of whole accounts, by their names."""
    return sorted(
        (rest for rest in list(_rests.values()) if not rest.model and _is_on(rest)),
        key=lambda rest: rest.account,
    )


def rest(account: str, model: str, rest_s: float, why: str) -> None:
    """The account, or one model of it, shall not be asked for a while, LONGEST_REST_S at most."""
    if len(_rests) >= RESTS_KEPT:
        _rests.clear()
    until = time.monotonic() + min(rest_s, LONGEST_REST_S)
    _rests[account, model] = Rest(account, model, until, why)


def answered(account: str, model: str) -> None:
    if _rests:
        _rests.pop((account, ""), None)
        _rests.pop((account, model), None)


def forget() -> None:
    _rests.clear()
    note_used({})


def _is_on(rest: Rest | None) -> bool:
    return rest is not None and rest.until > time.monotonic()


def _distance(account: str, key: str) -> float:
    digest = blake2b(f"{account}:{key}".encode(), digest_size=8).digest()
    part = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -math.log(part) / _weight(account)


def _weight(account: str) -> float:
    if settings.CLOUDFLARE_ACCOUNT_CHOICE == "neurons" and settings.FREE_DAILY_NEURONS:
        part = neurons_left(account) / settings.FREE_DAILY_NEURONS
        return math.ceil(part * STEPS) or _LITTLE
    return dict(settings.CLOUDFLARE_ACCOUNT_WEIGHTS).get(account, 1)
