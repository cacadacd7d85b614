"""`/metrics` for Prometheus: totals since the first request, and the state of this gateway.

The totals are in the database, so every worker of every host has the same figures, a restart resets
none, and requests do nothing for them. Labels are bounded: endpoints, models of the catalog and
teams, never a key, an owner or a caller's words.

Only for METRICS_ALLOWED_NETWORKS; all others get 404.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.db.utils import Error
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from alerts.findings import SEVERITIES
from alerts.models import Alert, Delivery
from catalog import accounts, snapshot
from keys.addresses import address, network
from keys.ledger.totals import REFUSED
from keys.ledger.writer import ledger
from keys.limits.process_counters import process_counters
from keys.models import DURATION_COUNTS, LATENCY_BOUNDS_MS, TTFT_COUNTS
from keys.reports.usage import AccountSumsEver, SumsEver, TeamSumsEver, WaitsEver, free_neurons
from keys.sharing.process_lanes import lanes
from storage.words import public_words

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()

_LABELS: Final = ("endpoint", "model")
_NANO: Final = 10**9
_MICRO: Final = 10**6
# Metric, its help, the sum of the totals it shows, and what that is divided by.
_COUNTERS: Final = (
    ("gateway_requests", "Admitted requests.", "requests", 1),
    ("gateway_errors", "Requests answered with 400 and above.", "errors", 1),
    ("gateway_client_gone", "Requests whose client left.", "client_gone", 1),
    ("gateway_unpriced", "Requests whose cost nobody knows.", "unpriced", 1),
    ("gateway_prompt_tokens", "Tokens in, cached ones included.", "prompt_tokens", 1),
    ("gateway_cached_tokens", "Tokens in out of the prompt cache.", "cached_tokens", 1),
    ("gateway_completion_tokens", "Tokens out.", "completion_tokens", 1),
    ("gateway_images", "Pictures made.", "images", 1),
    ("gateway_audio_seconds", "Seconds of sound.", "audio_ms", 1000),
    ("gateway_cost_usd", "Cost by the price list.", "cost_nano_usd", _NANO),
    ("gateway_neurons", "Neurons, as measured or by the price list.", "neurons_micro", _MICRO),
)
# Metric, its help, the counts of its buckets, and the sum of what they count.
_HISTOGRAMS: Final = (
    ("gateway_first_byte_seconds", "Time to the first byte of an answer.", TTFT_COUNTS, "ttft_ms"),
    ("gateway_duration_seconds", "Time to the end of an answer.", DURATION_COUNTS, "duration_ms"),
)

# Prometheus itself waits for 10 seconds.
DATABASE_ANSWERS_WITHIN_S: Final = 8.0

_sums_ever = SumsEver()
_team_sums_ever = TeamSumsEver()
_waits_ever = WaitsEver()
_account_sums_ever = AccountSumsEver()
# The scrape that is running, or the last one.
_scraping: "asyncio.Future[tuple[int, bytes]] | None" = None


def is_allowed(client_ip: str) -> bool:
    try:
        ip = address(client_ip)
    except ValueError:
        return False
    # Written in either form, as the settings have them.
    return any(ip in network(str(one)) for one in settings.METRICS_ALLOWED_NETWORKS)


async def metrics() -> tuple[int, bytes]:
    """Status and body of a scrape; 503 while the database does not answer. One scrape at a time,
    whose result all callers meanwhile share: a database that does not answer must not pile up
    threads."""
    global _scraping
    loop = asyncio.get_running_loop()
    if _scraping is None or _scraping.done() or _scraping.get_loop() is not loop:
        _scraping = loop.run_in_executor(None, _answer)
    answered, _ = await asyncio.wait({_scraping}, timeout=DATABASE_ANSWERS_WITHIN_S)
    if not answered:
        return 503, f"# The database needs over {DATABASE_ANSWERS_WITHIN_S:g} s.\n".encode()
    return _scraping.result()


def _answer() -> tuple[int, bytes]:
    try:
        return 200, _scrape()
    except Error as error:
        return 503, f"# The database does not answer ({public_words(error)}).\n".encode()


def _scrape() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    families = [
        *_of_ever(),
        *_of_teams(),
        *_of_waiting_ever(),
        *_of_accounts(),
        *_of_alerts(),
        *_of_now(),
    ]
    registry.register(_Collected(families))
    return generate_latest(registry)


class _Collected:
    """Metrics that are collected already, in the form that the library wants."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_ever() -> Iterator[Metric]:
    try:
        rows = sorted(_sums_ever.read().items())
    finally:
        # This thread belongs to a pool, which must not keep a connection.
        connection.close()
    for name, text, column, divisor in _COUNTERS:
        counter = CounterMetricFamily(name, text, labels=_LABELS)
        for place, sums in rows:
            counter.add_metric(place, sums[column] / divisor)
        yield counter
    refused = CounterMetricFamily(
        "gateway_refused", "Requests refused by a limit.", labels=(*_LABELS, "limit")
    )
    for place, sums in rows:
        for column in REFUSED:
            refused.add_metric([*place, column.removeprefix("refused_")], sums[column])
    yield refused
    for name, text, columns, column in _HISTOGRAMS:
        histogram = HistogramMetricFamily(name, text, labels=_LABELS)
        for place, sums in rows:
            histogram.add_metric(place, _buckets(sums, columns), sum_value=sums[column] / 1000)
        yield histogram


def _of_teams() -> Iterator[Metric]:
    try:
        rows = sorted(_team_sums_ever.read().items())
    finally:
        connection.close()
    for name, text, column, divisor in _COUNTERS:
        counter = CounterMetricFamily(
            name.replace("gateway_", "gateway_team_", 1), f"By team: {text}", labels=("team",)
        )
        for team, sums in rows:
            counter.add_metric(team, sums[column] / divisor)
        yield counter


def _buckets(sums: Mapping[str, int], columns: tuple[str, ...]) -> list[tuple[str, float]]:
    bounds = [*(str(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf"]
    seen, buckets = 0, []
    for bound, column in zip(bounds, columns, strict=True):
        seen += sums[column]
        buckets.append((bound, float(seen)))
    return buckets


def _of_accounts() -> Iterator[Metric]:
    """Nothing where there is one account."""
    names = accounts.names()
    if not names:
        return
    try:
        rows = sorted(_account_sums_ever.read().items())
    finally:
        connection.close()
    for name, text, column, divisor in _COUNTERS:
        counter = CounterMetricFamily(
            name.replace("gateway_", "gateway_account_", 1),
            f"By Cloudflare account: {text}",
            labels=("account",),
        )
        for account, sums in rows:
            counter.add_metric(account, sums[column] / divisor)
        yield counter
    at_rest = {rest.account for rest in accounts.rests()}
    asked = GaugeMetricFamily(
        "gateway_account_asked",
        "1 while this worker asks the account; 0 after it was refused or is used up.",
        labels=("account",),
    )
    for name in names:
        asked.add_metric((name,), float(name not in at_rest))
    yield asked


def _of_the_line() -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "gateway_queue_waiting",
        "Requests of this worker that wait for the account's rate.",
        labels=("lane",),
    )
    longest = GaugeMetricFamily(
        "gateway_queue_longest_wait_seconds",
        "How long the first of them has waited.",
        labels=("lane",),
    )
    for each in lanes.waiting():
        waiting.add_metric((each.lane,), each.requests)
        longest.add_metric((each.lane,), each.longest_s)
    yield waiting
    yield longest


def _of_waiting_ever() -> Iterator[Metric]:
    try:
        rows = sorted(_waits_ever.read().items())
    finally:
        connection.close()
    waited = CounterMetricFamily(
        "gateway_queue_waited_requests",
        "Requests that waited for the account's rate.",
        labels=("model",),
    )
    seconds = CounterMetricFamily(
        "gateway_queue_waited_seconds", "How long they waited in all.", labels=("model",)
    )
    for model, sums in rows:
        waited.add_metric(model, sums["waited"])
        seconds.add_metric(model, sums["waited_ms"] / 1000)
    yield waited
    yield seconds


def _of_alerts() -> Iterator[Metric]:
    try:
        open_ones = dict(
            Alert.objects.open().order_by().values_list("severity").annotate(count=Count("pk"))
        )
        waiting = Delivery.objects.exclude(next_try_at=None).count()
        given_up = Delivery.objects.filter(next_try_at=None, sent_at=None).count()
    finally:
        connection.close()
    gauge = GaugeMetricFamily(
        "gateway_alerts_open", "Alerts neither over nor acknowledged.", labels=("severity",)
    )
    for severity, _ in SEVERITIES:
        gauge.add_metric((severity,), open_ones.get(severity, 0))
    yield gauge
    deliveries = GaugeMetricFamily(
        "gateway_alert_deliveries", "Alerts not delivered, of those kept.", labels=("state",)
    )
    deliveries.add_metric(("waiting",), waiting)
    deliveries.add_metric(("given_up",), given_up)
    yield deliveries


def _of_now() -> Iterator[Metric]:
    health, catalog = ledger.health(), snapshot.current()
    gauges = (
        ("gateway_ledger_waiting_rows", "Rows of this worker not committed yet.", health.depth),
        ("gateway_ledger_healthy", "1 while this worker's ledger can write.", not health.problem),
        (
            "gateway_limits_shared",
            "1 while counters of rates work as configured.",
            not process_counters.health(),
        ),
        (
            "gateway_catalog_models",
            "Models that Workers AI lists.",
            sum(not model.retired for model in catalog.models.values()),
        ),
        ("gateway_free_neurons", "Free neurons of a day, of all accounts.", free_neurons()),
    )
    yield from _of_the_line()
    for name, text, value in gauges:
        yield GaugeMetricFamily(name, text, value=float(value))
    if catalog.refreshed_at is not None:
        age_s = time.time() - catalog.refreshed_at
        yield GaugeMetricFamily(
            "gateway_catalog_age_seconds", "Since the last good refresh.", value=age_s
        )
