"""Fills the gateway's database with a made-up year of a team: keys, owners, totals, log rows.

The totals are of the whole year, the rows of its last 30 days. For measuring the operators' pages,
and for screenshots of them; totals and rows are made independently, so `check_ledger` reports
differences on such a database. What a request costs follows from the bundled catalog's prices and
from what it used, by the gateway's own functions.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

import django

django.setup()

# Models can be imported only now.
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.pricing.costs import (  # noqa: E402
    Quantities,
    cost_nano_usd,
    neurons_micro_from_cost,
)
from catalog.pricing.prices import Prices, prices_to_json  # noqa: E402
from catalog.pricing.published import prices_of  # noqa: E402
from keys.ledger import month_totals  # noqa: E402
from keys.models import (  # noqa: E402
    DURATION_COUNTS,
    TTFT_COUNTS,
    DayTotal,
    Key,
    KeySecret,
    RequestLog,
)
from workers_ai.simulator.models.catalog import Catalog  # noqa: E402

OWNERS = (
    "ada",
    "grace",
    "linus",
    "margaret",
    "edsger",
    "barbara",
    "donald",
    "hedy",
    "alan",
    "joan",
)
APPS = ("laptop", "chat app", "nightly reports", "support bot", "notebook", "code review")


@dataclass(frozen=True, slots=True)
class Use:
    """A model, where it is used, and what a usual request of it uses."""

    model: str
    endpoint: str
    used: Quantities


def _text(prompt: int, completion: int) -> Quantities:
    return Quantities(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=prompt // 5)


USES = (
    Use("@cf/openai/gpt-oss-120b", "chat", _text(1_200, 400)),
    Use("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "chat", _text(900, 180)),
    Use("@cf/qwen/qwen3-embedding-0.6b", "embeddings", Quantities(prompt_tokens=700)),
    Use(
        "@cf/black-forest-labs/flux-1-schnell",
        "images",
        Quantities(images=1, width=1024, height=1024, steps=4),
    ),
    Use("@cf/meta/llama-4-scout-17b-16e-instruct", "responses", _text(1_100, 260)),
    Use("@cf/openai/whisper-large-v3-turbo", "transcriptions", Quantities(audio_ms=45_000)),
)
ERRORS = (
    (429, "rate_limit_exceeded", "upstream_error", "Workers AI is busy; try again soon."),
    (502, "upstream_error", "upstream_error", "Workers AI answered with an error."),
    (400, "invalid_value", "upstream_error", "max_tokens is above the model's limit."),
    (499, "", "client_gone", ""),
)
LOG_DAYS = 30
FIRST_ROWS = 20_000
BUSIEST_SHARE = 0.3
RARE_ROWS = 3
RARE_MODEL = "@cf/baai/bge-reranker-base"
RARE_ERROR = "server_error"


@cache
def catalog_prices(model: str) -> Prices:
    """As a refresh from the bundled catalog would store them; the model must have a price."""
    entry = Catalog().entry(model)
    assert entry is not None, model
    prices, _ = prices_of(entry)
    assert prices.is_known, model
    return prices


def _cost(use: Use, used: Quantities) -> int:
    """nano-USD"""
    cost = cost_nano_usd(catalog_prices(use.model), used)
    assert cost is not None
    return cost


def make_keys(number: int, dice: random.Random) -> list[Key]:
    users = get_user_model().objects
    owners = [users.get_or_create(username=name)[0] for name in OWNERS]
    now = timezone.now()
    with transaction.atomic():
        keys = Key.objects.bulk_create(
            Key(
                name=f"{owners[n % len(owners)].username}'s {APPS[n // len(owners) % len(APPS)]}"
                + (f" {n // 60 + 1}" if n >= 60 else ""),
                owner=owners[n % len(owners)],
                requests_per_minute=dice.choice((None, 60, 300)),
                daily_budget_nano_usd=dice.choice((None, 10**8, 10**9)),
                monthly_budget_nano_usd=dice.choice((None, 2 * 10**9, 50 * 10**9)),
                total_budget_nano_usd=dice.choice((None, None, 500 * 10**9)),
                created_at=now - timedelta(days=dice.randrange(30, 400)),
                last_used_at=now - timedelta(days=dice.choice((0, 0, 0, 1, 3, 45)), hours=n % 20),
                expires_at=now + timedelta(days=dice.randrange(2, 90)) if n % 7 == 3 else None,
                revoked_at=now - timedelta(days=3) if n % 11 == 10 else None,
            )
            for n in range(number)
        )
        KeySecret.objects.bulk_create(
            KeySecret(
                key=key,
                sha256=f"{key.pk:064x}",
                prefix=f"sk-wai-{dice.randrange(16**5):05x}",
                last_four=f"{dice.randrange(16**4):04x}",
            )
            for key in keys
        )
    return keys


def make_totals(keys: list[Key], days: int, dice: random.Random) -> None:
    today = timezone.now().astimezone(UTC).date()
    for ago in range(days):
        day = today - timedelta(days=ago)
        DayTotal.objects.bulk_create(
            (
                _total(day, key, use, dice, 1 - 0.7 * ago / days)
                for n, key in enumerate(keys)
                for use in (USES[n % len(USES)], USES[(n // 3 + 1) % len(USES)])[: 1 + n % 2]
            ),
            batch_size=400,
            ignore_conflicts=True,
        )


def _total(day: date, key: Key, use: Use, dice: random.Random, share: float) -> DayTotal:
    quiet = 0.3 if day.weekday() >= 5 else 1
    requests = int(dice.randrange(20, 120) * share * quiet) + 1
    errors = dice.randrange(0, max(1, requests // 25) + 1)
    fast = requests // 3
    used = _of_many(use.used, requests, tenths=dice.randrange(8, 13))
    cost = _cost(use, used)
    return DayTotal(
        day=day,
        key_id=key.pk,
        key_name=key.name,
        owner_id=key.owner_id or 0,
        owner_name=key.owner.username if key.owner else "",
        model=use.model,
        endpoint=use.endpoint,
        requests=requests,
        errors=errors,
        client_gone=dice.randrange(0, 2),
        refused_requests=dice.choice((0, 0, 0, 4)),
        refused_usd=dice.choice((0, 0, 0, 0, 0, 2)),
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        cached_tokens=used.cached_tokens,
        images=used.images,
        audio_ms=used.audio_ms,
        cost_nano_usd=cost,
        neurons_micro=neurons_micro_from_cost(cost),
        ttft_ms=150 * fast + 300 * (requests - fast),
        duration_ms=600 * fast + 2_400 * (requests - fast),
        **{TTFT_COUNTS[2]: fast, TTFT_COUNTS[3]: requests - fast},
        **{DURATION_COUNTS[4]: fast, DURATION_COUNTS[6]: requests - fast},
    )


def _of_many(used: Quantities, requests: int, *, tenths: int) -> Quantities:
    """What so many requests use together, each of so many tenths of the usual length."""
    many = requests * tenths
    return used._replace(
        prompt_tokens=used.prompt_tokens * many // 10,
        completion_tokens=used.completion_tokens * many // 10,
        cached_tokens=used.cached_tokens * many // 10,
        audio_ms=used.audio_ms * many // 10,
        images=used.images * requests,
        requests=requests,
    )


def make_rows(keys: list[Key], number: int, dice: random.Random) -> None:
    """The first are made one by one, the others are copies of them, each round some time later: the
    log is in the order of time, as requests would write it."""
    first = min(number, FIRST_ROWS)
    rounds = -(-number // first)
    round_s = LOG_DAYS * 86_400 // rounds
    # Not a whole second: SQLite stores times as texts, and a whole second's text is shorter.
    begin = timezone.now().replace(microsecond=500_000) - timedelta(
        seconds=number * round_s // first
    )
    RequestLog.objects.bulk_create(
        [
            *_rare_rows(begin, keys, dice),
            *(
                _row(n, begin + timedelta(seconds=n * round_s // first), keys[:-1] or keys, dice)
                for n in range(first)
            ),
        ],
        batch_size=500,
    )
    copy_rows(first, number, round_s)


def _rare_rows(begin: datetime, keys: list[Key], dice: random.Random) -> Iterator[RequestLog]:
    """The oldest rows, with values that are nowhere else in the log: the last key, a model, an
    endpoint, an error. A search for one of these reads the whole log."""
    for n in range(RARE_ROWS):
        row = _row(7, begin - timedelta(minutes=RARE_ROWS - n), keys[-1:], dice)
        row.request_id = f"req-rare-{n}"
        row.requested_model = row.model = RARE_MODEL
        row.price = _price_text(RARE_MODEL)
        row.endpoint = "rerank"
        row.status, row.error_code = 500, RARE_ERROR
        yield row


def copy_rows(have: int, number: int, round_s: int) -> None:
    """Copies rows until there are `number`. Indexes are made at the end: filling them row by row
    takes many times as long."""
    indexes = list(RequestLog._meta.indexes)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(RequestLog, index)
    table = connection.ops.quote_name(RequestLog._meta.db_table)
    columns = [
        connection.ops.quote_name(field.column)
        for field in RequestLog._meta.concrete_fields
        if not field.primary_key and field.name not in ("started_at", "request_id")
    ]
    later = {
        "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', started_at, %s || ' seconds') || '000'",
        "postgresql": "started_at + %s * interval '1 second'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id), max(id) FROM {table} WHERE model <> %s", [RARE_MODEL])
        low, high = cursor.fetchone()
        for each in range(1, -(-number // have)):
            end = min(high + 1, low + number - have * each)
            cursor.execute(
                f"INSERT INTO {table} (started_at, request_id, {', '.join(columns)}) "
                f"SELECT {later}, request_id || %s, {', '.join(columns)} FROM {table} "
                "WHERE id >= %s AND id < %s ORDER BY id",
                [each * round_s, f"-{each}", low, end],
            )
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(RequestLog, index)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # As the server would do by itself later.
            cursor.execute("VACUUM ANALYZE")


def _row(n: int, started_at: datetime, keys: list[Key], dice: random.Random) -> RequestLog:
    # The first key is of an app that everybody uses.
    key = keys[0 if dice.random() < BUSIEST_SHARE else dice.randrange(len(keys))]
    use = USES[dice.randrange(len(USES))]
    status, code, end, message = (
        ERRORS[dice.randrange(len(ERRORS))] if n % 30 == 7 else (200, "", "complete", "")
    )
    answered = status == 200
    used = use.used if answered else Quantities()
    cost = _cost(use, used) if answered else 0
    neurons = neurons_micro_from_cost(cost)
    return RequestLog(
        started_at=started_at,
        request_id=f"req-{n:08x}",
        key_id=key.pk,
        key_name=key.name,
        key_prefix=key.prefix,
        owner_id=key.owner_id,
        owner_name=key.owner.username if key.owner else "",
        endpoint=use.endpoint,
        requested_model=use.model,
        model=use.model,
        stream=use.endpoint in ("chat", "responses") and n % 3 > 0,
        status=status,
        error_code=code,
        error_message=message,
        finish_reason="stop" if used.completion_tokens else "",
        end_reason=end,
        prompt_tokens=used.prompt_tokens or None,
        completion_tokens=used.completion_tokens or None,
        cached_tokens=used.cached_tokens or None,
        images=used.images or None,
        audio_ms=used.audio_ms or None,
        cost_nano_usd=cost,
        neurons_micro=neurons,
        neurons_source="price" if answered else "none",
        neurons_by_price_micro=neurons,
        usage_source="upstream" if answered else "none",
        price=_price_text(use.model),
        ttft_ms=120 + n % 400 if answered else None,
        duration_ms=700 + n % 4_000,
        attempts=1 if answered else 3,
        client_ip=f"10.0.{n % 4}.{n % 250}",
        user_agent="OpenAI/Python 3.54.0",
        session=f"{n // 40:08x}-0000-4000-8000-000000000000" if n % 3 else "",
    )


@cache
def _price_text(model: str) -> str:
    return json.dumps(prices_to_json(catalog_prices(model)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rows", type=int, default=5_000_000)
    arguments = parser.parse_args()
    dice = random.Random(7)
    keys = make_keys(arguments.keys, dice)
    make_totals(keys, arguments.days, dice)
    # Prefixes are read for each row otherwise.
    keys = list(Key.objects.order_by("pk").select_related("owner").prefetch_related("secrets"))
    make_rows(keys, arguments.rows, dice)
    while month_totals.make_next(timezone.now().astimezone(UTC).date()):
        pass


if __name__ == "__main__":
    main()
