"""Whether Cloudflare, or its AI Gateway, still refuses the gateway. That it does is noted where it
happens; here is found what lasts: an alert stays open until a request has succeeded after the last
refusal."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from alerts.findings import Finding, Holder
from alerts.models import Alert
from keys.models import RequestLog

# Of the newest rows: refusals that go on must not make this a long read.
ROWS_READ: Final = 300
# Of each event, as rows have it.
REFUSED: Final = {
    "access_refused": frozenset({"upstream_misconfigured"}),
    "ai_gateway_refused": frozenset({"policy_denied", "insufficient_quota"}),
}


def find(now: datetime) -> Iterator[Finding]:
    for alert in Alert.objects.filter(event__in=REFUSED, resolved_at=None):
        newest = RequestLog.objects.filter(started_at__gt=alert.opened_at)
        rows = newest.order_by("-started_at", "-id").values_list("status", "error_code", "account")
        # Of several accounts only rows of its own tell whether one is let in again.
        account = alert.figures.get("account", "")
        telling = (
            row[:2]
            for row in rows[:ROWS_READ]
            if (row[0] < 400 or row[1] in REFUSED[alert.event])
            and (not account or row[2] == account)
        )
        newest_status, _ = next(telling, (502, ""))
        if newest_status >= 400:
            yield Finding(
                event=alert.event,
                series=alert.series,
                level=alert.level,
                text=alert.text,
                holder=Holder(alert.holder_kind, alert.holder_name),
            )
