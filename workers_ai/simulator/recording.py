"""Records the last requests, in bounded memory, for tests."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_RECORDS = 1000
MAX_BODY_BYTES = 64 * 1024

_SECRET_HEADERS = ("authorization", "x-auth-key", "cf-aig-authorization")


@dataclass
class RequestRecord:
    """One request, and how it ended. `seconds` counts from its start to its end."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    # True: the expected credentials; False: others; None: none at all.
    authorized: bool | None
    body: Any = None
    body_bytes: int = 0
    started_at: float = field(default_factory=time.time)
    ended: Literal["open", "complete", "client_closed"] = "open"
    status: int | None = None
    seconds: float | None = None
    _over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def end(self, how: Literal["complete", "client_closed"]) -> None:
        """Notes how it ended; only the first call counts."""
        if self.ended == "open":
            self.ended = how
            self.seconds = time.time() - self.started_at
            self._over.set()

    def wait_for_end(self, timeout: float = 20.0) -> str:
        """How it ended, as soon as it has; for tests, which run in another thread."""
        self._over.wait(timeout)
        return self.ended

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_over"}


def shown_headers(headers: dict[str, str]) -> dict[str, str]:
    """Headers without secrets: of a credential only that it was there."""
    return {
        name: "(hidden)" if name in _SECRET_HEADERS else value for name, value in headers.items()
    }


class Recorder:
    def __init__(self) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)

    def add(self, record: RequestRecord, body: bytes, parsed: Any) -> None:
        record.body_bytes = len(body)
        record.body = parsed if len(body) <= MAX_BODY_BYTES else {"size": len(body)}
        self.records.append(record)

    def last(self, limit: int) -> list[dict[str, Any]]:
        return [record.as_dict() for record in list(self.records)[-limit:]]
