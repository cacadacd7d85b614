"""What requests add to metrics over OTLP: counted in this worker, since it began.

`/metrics` has the totals of all workers out of the database; these are each worker's own, as a
collector expects them, told apart by `service.instance.id`. Attributes are bounded: operations,
models of the catalog, words for failures, never a key, an owner or a caller's words.
"""

from collections.abc import Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from keys.ledger.rows import LedgerRow
from keys.ledger.writer import ledger
from keys.sharing.process_lanes import lanes

PROVIDER: Final = "cloudflare.workers_ai"
# Bounds of the buckets, as the semantic conventions have them.
_TOKENS: Final = [4.0**power for power in range(14)]
_DURATION_S: Final = [0.01 * 2**power for power in range(14)]
_FIRST_TOKEN_S: Final = [
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
]


class Meters:
    def __init__(self, meter: Meter) -> None:
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens in, cached ones included, and tokens out.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.server.request.duration",
            "s",
            "Time to the last byte of an answer.",
            explicit_bucket_boundaries_advisory=_DURATION_S,
        )
        self._first_token = meter.create_histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "Time to the first byte of a streamed answer.",
            explicit_bucket_boundaries_advisory=_FIRST_TOKEN_S,
        )
        self._cost = meter.create_counter("gateway.cost", "{USD}", "Cost by the price list.")
        self._neurons = meter.create_counter("gateway.neurons", "{neuron}", "Neurons used.")
        self._refused = meter.create_counter(
            "gateway.refused", "{request}", "Requests that were not admitted."
        )
        meter.create_observable_gauge(
            "gateway.ledger.waiting_rows", [_waiting_rows], "{row}", "Rows not committed yet."
        )
        meter.create_observable_gauge(
            "gateway.ledger.healthy", [_healthy], "1", "1 while the ledger can write."
        )
        meter.create_observable_gauge(
            "gateway.queue.waiting",
            [_in_line],
            "{request}",
            "Requests that wait for the account's rate.",
        )

    def add(self, operation: str, row: LedgerRow | None, status: int) -> None:
        """A request has ended, with a row where it was admitted."""
        told: dict[str, str | int] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
        }
        if row is None:
            self._refused.add(1, {**told, "http.response.status_code": status})
            return
        if row.model:
            # The one that answered: what the caller named may be anything.
            told["gen_ai.request.model"] = told["gen_ai.response.model"] = row.model
        if row.prompt_tokens is not None:
            self._tokens.record(row.prompt_tokens, {**told, "gen_ai.token.type": "input"})
        if row.completion_tokens is not None:
            self._tokens.record(row.completion_tokens, {**told, "gen_ai.token.type": "output"})
        if row.cost_nano_usd:
            self._cost.add(row.cost_nano_usd / 10**9, told)
        if row.neurons_micro:
            self._neurons.add(row.neurons_micro / 10**6, told)
        if row.stream and row.ttft_ms is not None:
            self._first_token.record(row.ttft_ms / 1000, told)
        if row.end_reason != "complete":
            told["error.type"] = row.error_code or row.end_reason
        self._duration.record(row.duration_ms / 1000, told)


def _waiting_rows(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(ledger.health().depth)]


def _healthy(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(int(not ledger.health().problem))]


def _in_line(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(each.requests, {"gateway.lane": each.lane}) for each in lanes.waiting()]
