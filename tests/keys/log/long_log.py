"""A log of any length, made in the database itself, with the totals that its rows make up."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from keys.ledger import check as ledger_check
from keys.models import RequestLog

DAYS: Final = 10
FIRST_DAY: Final = datetime(2025, 1, 1, tzinfo=UTC)
MODELS: Final = tuple(f"@cf/meta/model-{number}" for number in range(4))
_AT_ONCE: Final = 10_000


def fill(count: int) -> None:
    """`count` rows over DAYS days, of twenty keys and four models, and their totals."""
    step = timedelta(days=DAYS) / count
    for start in range(0, count, _AT_ONCE):
        RequestLog.objects.bulk_create(
            [
                _row(number, FIRST_DAY + number * step)
                for number in range(start, min(start + _AT_ONCE, count))
            ],
            batch_size=1000,
        )
    for day in ledger_check.days_to_check():
        ledger_check.repair(day)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE keys_requestlog")


def _row(number: int, started_at: datetime) -> RequestLog:
    failed = number % 50 == 0
    return RequestLog(
        started_at=started_at,
        request_id=f"req-{number}",
        key_id=number % 20 + 1,
        key_name=f"key {number % 20 + 1}",
        key_prefix="sk-wai-AbCdE",
        owner_id=number % 5 + 1,
        owner_name=f"owner {number % 5 + 1}",
        endpoint="chat" if number % 3 else "images",
        requested_model=MODELS[number % 4],
        model=MODELS[number % 4],
        stream=bool(number % 2),
        status=502 if failed else 200,
        error_code="upstream_error" if failed else "",
        end_reason="upstream_error" if failed else "complete",
        prompt_tokens=number % 1000,
        completion_tokens=number % 300,
        cost_nano_usd=number % 100_000,
        neurons_micro=number % 90_000,
        usage_source="upstream",
        ttft_ms=number % 900,
        duration_ms=number % 9_000,
        attempts=1,
        client_ip="10.0.0.1",
        user_agent="OpenAI/Python",
        session=f"run {number % 30}" if number % 2 else "",
    )
