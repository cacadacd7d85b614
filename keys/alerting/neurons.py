"""The account's neurons of the day: nearly or wholly used, or likely to be before it ends."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from alerts.findings import CRITICAL, WARNING, Finding, Holder
from keys import shown
from keys.amounts import MICRO
from keys.reports.usage import NeuronDay, account_neuron_day

NEAR_PERCENT: Final = 80
# A forecast needs something to go by: the first requests after midnight are no rate.
FORECAST_FROM_PERCENT: Final = 10
HOLDER: Final = Holder("account", "the Cloudflare account")


def find(now: datetime) -> Iterator[Finding]:
    day = account_neuron_day(now)
    if not day.free_micro:
        return
    percent = day.used_micro * 100 // day.free_micro
    of = f"{shown.neurons(day.used_micro)} of the account's {shown.neurons(day.free_micro)}"
    if day.used_up_at is not None or percent >= 100:
        said = ", as Cloudflare says" if day.used_up_at is not None else ""
        text = f"The account's free neurons of today are used up{said}: {of}. "
        text += "They return at 00:00 UTC."
        yield _finding(day, "used", 100, CRITICAL, text, percent)
        return
    if percent >= NEAR_PERCENT:
        text = f"{percent}% of the account's free neurons of today are used: {of}."
        yield _finding(day, "used", NEAR_PERCENT, WARNING, text, percent)
    if day.gone_at is not None and percent >= FORECAST_FROM_PERCENT:
        text = (
            f"At today's rate the account's free neurons end at {day.gone_at:%H:%M} UTC: {of} are "
            f"used at {now:%H:%M}."
        )
        yield _finding(day, "forecast", 0, WARNING, text, percent)


def _finding(
    day: NeuronDay, kind: str, level: int, severity: str, text: str, percent: int
) -> Finding:
    figures: dict[str, Any] = {
        "used_neurons": day.used_micro / MICRO,
        "free_neurons": day.free_micro / MICRO,
        "percent": percent,
    }
    if day.gone_at is not None:
        figures["gone_at"] = day.gone_at.isoformat(timespec="minutes")
    return Finding(
        event="account_neurons",
        series=f"account_neurons:{kind}:{day.day}",
        level=level,
        severity=severity,
        text=text,
        holder=HOLDER,
        figures=figures,
    )
