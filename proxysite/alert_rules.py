"""All rules, evaluated: each on its own, so that one that fails keeps no other from telling."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.utils import Error

from alerts import store
from alerts.findings import Finding
from catalog import alerting as catalog_alerting
from keys.alerting import access, ends, habit, limits, models_in_use, neurons

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """Finds all that is so now of some events; what it finds no more is over."""

    events: tuple[str, ...]
    find: Callable[[datetime], Iterable[Finding]]


def _models(now: datetime) -> Iterable[Finding]:
    return catalog_alerting.retirements(models_in_use.since(now), now)


RULES: Final = (
    Rule(("limit",), limits.find),
    Rule(("account_neurons",), neurons.find),
    Rule(tuple(access.REFUSED), access.find),
    Rule(("model_retires", "model_gone"), _models),
    Rule(("catalog_old",), catalog_alerting.old),
    Rule(("key_ends",), ends.find),
    Rule(("key_habit",), habit.find),
)


def evaluate(now: datetime) -> None:
    """Raises the database's errors."""
    for rule in RULES:
        try:
            store.record(rule.find(now), rule.events, now)
        except Error:
            raise
        except Exception:
            logger.exception("A rule of alerts failed: %s", ", ".join(rule.events))
