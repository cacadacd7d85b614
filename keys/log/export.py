"""Exports the request log in constant memory, with the names and units that people use."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from keys import csv_file
from keys.amounts import neurons_text, usd_text
from keys.key_json import iso
from keys.log.walk import Sought, Walk
from keys.models import RequestLog

BATCH_ROWS: Final = 2000

FIELDS: Final = (
    *("started_at", "request_id", "key", "key_id", "key_prefix", "owner", "owner_id", "endpoint"),
    *("requested_model", "model", "stream", "status", "error_code", "error_message"),
    *("finish_reason", "end_reason", "prompt_tokens", "completion_tokens", "cached_tokens"),
    *("reasoning_tokens", "images", "audio_seconds", "cost_usd", "neurons", "usage_source"),
    *("ttft_ms", "duration_ms", "attempts", "client_ip", "user_agent", "user", "price"),
    *("neurons_source", "neurons_by_price", "team", "team_id", "session", "agent"),
    "waited_ms",
    "account",
)


class Written(Protocol):
    def write(self, text: str, /) -> Any: ...


def rows_oldest_first(sought: Sought) -> Iterator[RequestLog]:
    """All rows that match. One batch is in memory at a time, and no query stays open."""
    walk = Walk(sought, oldest_first=True)
    while not walk.is_over:
        yield from walk.step(BATCH_ROWS)


def row_as_json(row: RequestLog) -> dict[str, Any]:
    """Amounts are decimal strings, so that no reader rounds them; unknown values are null."""
    renamed = {
        "started_at": iso(row.started_at),
        "key": row.key_name,
        "owner": row.owner_name,
        "team": row.team_name,
        "audio_seconds": None if row.audio_ms is None else row.audio_ms / 1000,
        "cost_usd": None if row.cost_nano_usd is None else usd_text(row.cost_nano_usd),
        "neurons": None if row.neurons_micro is None else neurons_text(row.neurons_micro),
        "neurons_by_price": None
        if row.neurons_by_price_micro is None
        else neurons_text(row.neurons_by_price_micro),
        "price": None if row.price is None else json.loads(row.price),
    }
    return {name: renamed[name] if name in renamed else getattr(row, name) for name in FIELDS}


def write_jsonl(rows: Iterable[RequestLog], out: Written) -> None:
    for row in rows:
        out.write(json.dumps(row_as_json(row), ensure_ascii=False, separators=(",", ":")) + "\n")


def write_csv(rows: Iterable[RequestLog], out: Written) -> None:
    for text in csv_texts(rows):
        out.write(text)


def csv_texts(rows: Iterable[RequestLog]) -> Iterator[str]:
    return csv_file.csv_texts(FIELDS, (row_as_json(row).values() for row in rows))
