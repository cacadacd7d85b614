"""Which indexes a database takes for what the pages read of the log. On an engine that is not the
tests' own run it as a program: it fills the migrated database of DATABASE_URL and prints JSON."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import django

if __name__ == "__main__":
    django.setup()

# Models can be imported only now.
from django.db import connection
from django.test.utils import CaptureQueriesContext

from keys.log import walk as log_walk
from keys.log.filters import ErrorFilter, ModelFilter
from keys.log.walk import Position, Sought, Walk
from keys.management.commands import prune_logs
from keys.member.own_requests import request_page
from keys.models import RequestLog
from keys.reports.usage import account_neuron_day, key_usage, owner_usage
from tests.keys.log import long_log

ROWS: Final = 3_000
# Fewer than any key, owner or model has, so that the ways are told apart.
STEP_ROWS: Final = 50
_MIDDLE: Final = long_log.FIRST_DAY + timedelta(days=5)
_PLACE: Final = Position(_MIDDLE, 1_500)


def _walked(sought: Sought, *, newer: bool = False) -> Callable[[], Any]:
    return lambda: Walk(sought, _PLACE, oldest_first=newer).step(10)


def _asked(filter_class: Any) -> Callable[[], Any]:
    return lambda: filter_class(None, {}, RequestLog, None)


# What is read, and the index along which the last statement reads the log or the totals.
CASES: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "newest rows": (lambda: Walk(Sought()).step(10), "keys_log_time"),
    "older rows": (_walked(Sought()), "keys_log_time"),
    "newer rows": (_walked(Sought(), newer=True), "keys_log_time"),
    "rows of some days": (
        _walked(Sought(since=_MIDDLE - timedelta(days=2), until=_MIDDLE + timedelta(days=1))),
        "keys_log_time",
    ),
    "rows of a key": (_walked(Sought(equal={"key_id": 3})), "keys_log_key_time"),
    "rows of an owner": (_walked(Sought(equal={"owner_id": 3})), "keys_log_owner_time"),
    "rows of a model": (
        _walked(Sought(equal={"model": long_log.MODELS[1]})),
        "keys_log_model_time",
    ),
    "rows of an endpoint": (
        _walked(Sought(equal={"endpoint": "images"})),
        "keys_log_endpoint_time",
    ),
    "rows of a session": (_walked(Sought(equal={"session": "run 3"})), "keys_log_session_time"),
    "failures": (_walked(Sought(failed=True)), "keys_log_failed_time"),
    "failures of an owner": (
        lambda: request_page(3, failed=True),
        "keys_log_owner_failed_time",
    ),
    "one key's requests among many of its owner": (
        lambda: request_page(3, key_id=3),
        "keys_log_key_time",
    ),
    "a request id": (
        lambda: list(RequestLog.objects.filter(request_id="req-7")),
        "keys_log_request_id",
    ),
    "models to choose from": (_asked(ModelFilter), "keys_log_model_time"),
    "errors to choose from": (_asked(ErrorFilter), "keys_log_failed_time"),
    "when neurons were gone": (lambda: account_neuron_day(_MIDDLE), "keys_log_used_up_time"),
    "the oldest rows, to be deleted": (
        lambda: list(prune_logs.oldest_ids(_MIDDLE)),
        "keys_log_time",
    ),
    "use of a key": (lambda: key_usage(3), "keys_daytotal_key"),
    "use of an owner": (lambda: owner_usage(3), "keys_daytotal_owner"),
}


def plans() -> dict[str, str]:
    """Of each case the plan of the last statement that reads the log or the totals."""
    found = {}
    for name, (read, _) in CASES.items():
        with CaptureQueriesContext(connection) as caught:
            read()
        read_along = [
            query["sql"]
            for query in caught
            if "keys_requestlog" in query["sql"] or "keys_daytotal" in query["sql"]
        ]
        # Rows by their ids, once they are found.
        along = [sql for sql in read_along if '"id" IN (' not in sql]
        found[name] = "\n".join(_explained(along[-1]))
    return found


def _explained(sql: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            ("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql
        )
        for row in cursor.fetchall():
            yield str(row[-1])


@contextmanager
def large_log() -> Iterator[None]:
    """As one that is too large to be read as a whole is planned for: PostgreSQL would read some
    thousand rows whole, and sort them, sooner than use any index."""
    long_log.fill(ROWS)
    settings: Iterable[str] = ()
    if connection.vendor == "postgresql":
        settings = ("enable_seqscan", "enable_bitmapscan", "enable_sort")
    with connection.cursor() as cursor:
        for name in settings:
            cursor.execute(f"SET {name} TO off")
    step_rows, log_walk.STEP_ROWS = log_walk.STEP_ROWS, STEP_ROWS  # type: ignore[misc]
    try:
        yield
    finally:
        log_walk.STEP_ROWS = step_rows  # type: ignore[misc]


if __name__ == "__main__":
    with large_log():
        print(json.dumps(plans()))
