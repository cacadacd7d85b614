"""Messages and findings for tests, with everything filled in that a case does not care about."""

import uuid
from datetime import UTC, datetime
from typing import Any

from alerts.findings import Finding, Holder
from alerts.messages import Message

KEY = Holder("key", "laptop", 7)


def message(**fields: Any) -> Message:
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "event": "limit",
        "severity": "warning",
        "text": "85% of the daily budget is used.",
        "holder": KEY,
        "opened_at": datetime(2026, 11, 26, 9, tzinfo=UTC),
        "url": "https://gateway.example.com/admin/alerts/alert/1/change/",
    }
    return Message(**{**values, **fields})


def finding(series: str = "limit:key:7", level: int = 80, **fields: Any) -> Finding:
    values: dict[str, Any] = {"event": "limit", "text": "85% is used.", "holder": KEY}
    return Finding(series=series, level=level, **{**values, **fields})
