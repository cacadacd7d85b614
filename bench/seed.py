"""Fills the gateway's database with keys and log rows, to measure how its cost grows."""

import argparse
import os
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

import django

django.setup()

# Models can be imported only now.
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from keys.models import Key, KeySecret, RequestLog  # noqa: E402

FIRST_ROWS = 1000
KEYS_AT_ONCE = 5000


def add_keys(number: int) -> None:
    owner, _ = get_user_model().objects.get_or_create(username="bench-crowd")
    for start in range(0, number, KEYS_AT_ONCE):
        batch = range(start, min(number, start + KEYS_AT_ONCE))
        with transaction.atomic():
            keys = Key.objects.bulk_create(
                Key(name=f"crowd {n}", owner=owner, requests_per_minute=60) for n in batch
            )
            # No secret has these hashes; in memory they take as much as others.
            KeySecret.objects.bulk_create(
                KeySecret(key=key, sha256=f"{n:064x}", prefix=f"sk-wai-{n:06d}", last_four="0000")
                for n, key in zip(batch, keys, strict=True)
            )


def add_rows(number: int) -> None:
    """Rows over the last 90 days. The first are made one by one, the others copied from them."""
    now = timezone.now()
    RequestLog.objects.bulk_create(
        RequestLog(
            started_at=now - timedelta(days=90) * n / FIRST_ROWS,
            request_id=f"req-bench-{n}",
            endpoint="chat",
            requested_model="@cf/bench/n100-g0-d0",
            model="@cf/bench/n100-g0-d0",
            stream=False,
            attempts=1,
            usage_source="upstream",
            status=200,
            end_reason="complete",
            prompt_tokens=42,
            completion_tokens=60,
            cost_nano_usd=28_200,
            duration_ms=1200,
        )
        for n in range(FIRST_ROWS)
    )
    table = connection.ops.quote_name(RequestLog._meta.db_table)
    columns = ", ".join(
        connection.ops.quote_name(field.column)
        for field in RequestLog._meta.concrete_fields
        if not field.primary_key
    )
    have = FIRST_ROWS
    with connection.cursor() as cursor:
        while have < number:
            more = min(have, number - have)
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT {more}"
            )
            have += more


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.seed", description=__doc__)
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--rows", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.keys:
        add_keys(arguments.keys)
    if arguments.rows:
        add_rows(arguments.rows)


if __name__ == "__main__":
    main()
