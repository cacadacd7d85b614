"""What a filter of the request log, by its name and a value as text, searches: the one way for the
admin and for the management API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from django.db.models import Q

from keys.ledger.totals import CLIENT_GONE_STATUS
from keys.log.walk import NOTHING, Sought

# By the value: its words, and what it searches.
STATUS_CLASSES: Final = {
    "ok": ("answered", Sought(rest=Q(status__lt=400))),
    # The same rows that the totals count as errors.
    "failed": ("failed", Sought(failed=True, rest=~Q(status=CLIENT_GONE_STATUS))),
    "gone": ("client disconnected", Sought(failed=True, rest=Q(status=CLIENT_GONE_STATUS))),
    "4xx": ("4xx", Sought(failed=True, rest=Q(status__lt=500))),
    "5xx": ("5xx", Sought(failed=True, rest=Q(status__gte=500))),
}


def sought(name: str, value: str) -> Sought:
    """NOTHING for a value that no row can have."""
    # No text of the log contains NUL, and PostgreSQL rejects it.
    return NOTHING if "\0" in value else FILTERS[name](value)


def _id(column: str, value: str) -> Sought:
    is_id = value.isascii() and value.isdecimal() and len(value) < 19
    return Sought(equal={column: int(value)}) if is_id else NOTHING


def _team(value: str) -> Sought:
    """Rows of those who were in the team at the time."""
    found = _id("team_id", value)
    # The column has no index, which would cost every request.
    return Sought(rest=Q(**found.equal), nothing=found.nothing)


def _same(column: str, value: str) -> Sought:
    return Sought(equal={column: value})


def _day(value: str) -> Sought:
    """`value` is a day, or a first and a last day with two dots between them."""
    first, _, last = value.partition("..")
    try:
        begin = datetime.strptime(first, "%Y-%m-%d").replace(tzinfo=UTC)
        end = datetime.strptime(last or first, "%Y-%m-%d").replace(tzinfo=UTC)
        return Sought(since=begin, until=end + timedelta(days=1))
    except (ValueError, OverflowError):
        return NOTHING


def _status_class(value: str) -> Sought:
    return STATUS_CLASSES[value][1] if value in STATUS_CLASSES else NOTHING


def _stream(value: str) -> Sought:
    return Sought(rest=Q(stream=value == "yes")) if value in ("yes", "no") else NOTHING


FILTERS: Final[dict[str, Callable[[str], Sought]]] = {
    "key": partial(_id, "key_id"),
    "owner": partial(_id, "owner_id"),
    "team": _team,
    "user": lambda value: Sought(rest=Q(user=value)),
    "model": partial(_same, "model"),
    "endpoint": partial(_same, "endpoint"),
    "session": lambda value: _same("session", value) if value else NOTHING,
    "agent": lambda value: Sought(rest=Q(agent=value)) if value else NOTHING,
    "status_class": _status_class,
    "error": lambda value: Sought(failed=True, rest=Q(error_code=value)),
    "stream": _stream,
    "day": _day,
}
