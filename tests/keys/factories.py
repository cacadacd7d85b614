"""Keys and rows for tests, with everything filled in that a case does not care about."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model

from keys.access.key_record import KeyRecord
from keys.ledger.claims import Claim, Shortfall
from keys.ledger.queue import LedgerQueue
from keys.ledger.rows import LedgerRow
from keys.ledger.shares import Part, Shares
from keys.ledger.writer import Held
from keys.limits.admission import admit
from keys.limits.ticket import Ticket
from keys.models import Key, RequestLog
from keys.scopes import NO_LIMITS, Limits


def user(username: str = "ada", **fields: Any) -> Any:
    return get_user_model().objects.get_or_create(username=username, defaults=fields)[0]


def issued(name: str = "laptop", **fields: Any) -> tuple[Key, str]:
    fields.setdefault("owner", user())
    return Key.issue(name=name, **fields)


def record(limits: Limits = NO_LIMITS, **fields: Any) -> KeyRecord:
    values: dict[str, Any] = {
        "id": 1,
        "name": "laptop",
        "prefix": "sk-wai-AbCdE",
        "owner_id": 7,
        "owner_name": "ada",
        "created_at": 0.0,
        "expires_at": None,
        "revoked": False,
        "model_patterns": None,
        "endpoints": None,
        "networks": None,
        "limits": limits,
    }
    return KeyRecord(**{**values, **fields})


async def admitted(key: KeyRecord, **fields: Any) -> Ticket:
    values: dict[str, Any] = {
        "endpoint": "chat",
        "request_id": "req-1",
        "client_ip": "10.0.0.1",
        "user_agent": "test",
    }
    return await admit(key, **{**values, **fields})


def ledger_row(request_id: str = "req-1", **fields: Any) -> LedgerRow:
    values: dict[str, Any] = {
        "started_at": 1_800_000_000.0,
        "endpoint": "chat",
        "status": 200,
        "end_reason": "complete",
        "duration_ms": 12,
    }
    return LedgerRow(request_id=request_id, **{**values, **fields})


def log_row(request_id: str = "req-1", **fields: Any) -> RequestLog:
    values: dict[str, Any] = {
        "started_at": datetime(2027, 1, 1, tzinfo=UTC),
        "key_id": 1,
        "key_name": "laptop",
        "endpoint": "chat",
        "stream": False,
        "status": 200,
        "duration_ms": 12,
        "attempts": 1,
    }
    return RequestLog.objects.create(request_id=request_id, **{**values, **fields})


class MemoryLedger:
    """Takes rows like `LedgerWriter` and keeps them; they count as committed on `commit()`."""

    def __init__(self) -> None:
        self.rows: list[LedgerRow] = []
        self.futures: list[asyncio.Future[None]] = []
        self.claims: list[Claim] = []
        self.released: list[uuid.UUID] = []
        self.refusals: list[str] = []
        self.shares = Shares(LedgerQueue(full_rows=1, group_rows=1))

    def check_room(self) -> None:
        pass

    def put(
        self,
        row: LedgerRow,
        loop: asyncio.AbstractEventLoop,
        held: Held = None,
    ) -> "asyncio.Future[None]":
        self.put_nowait(row, held)
        return self.written()

    def put_nowait(self, row: LedgerRow, held: Held = None) -> None:
        self.rows.append(row)
        if held is not None:
            self.release(held)

    def claim(self, claim: Claim) -> "asyncio.Future[Shortfall | None]":
        self.claims.append(claim)
        future: asyncio.Future[Shortfall | None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def release(self, held: uuid.UUID | Part) -> None:
        assert isinstance(held, uuid.UUID), "there are no shares"
        self.released.append(held)

    def count_refusal(self, place: Any, names: Any, kind: str) -> None:
        self.refusals.append(kind)

    def written(self) -> "asyncio.Future[None]":
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    def commit(self) -> None:
        for future in self.futures:
            future.set_result(None)


class Clock:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
