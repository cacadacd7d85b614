"""The record step: what a request used and cost → the outcome that settles its ticket.

Comes in: usage as upstream reported it (or not), the model's prices. Goes out: an Outcome for the
ledger. Measured neurons are preferred to those computed from the price; a model without a price
costs what upstream says it billed, and otherwise None, which is not 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from catalog.pricing.costs import (
    Quantities,
    cost_from_neurons,
    cost_nano_usd,
    neurons_micro,
    neurons_micro_from_cost,
)
from catalog.pricing.prices import Prices
from catalog.snapshot import ModelRecord
from keys.limits.ticket import Outcome
from openai_api.errors import ApiError
from openai_api.use import token_estimate
from openai_api.use.usage import NOTHING, Usage


class Metered(NamedTuple):
    """Usage with where it comes from: `upstream`, `estimated`, `partial` or `none`."""

    usage: Usage
    source: str
    quantities: Quantities
    cached_answer: bool = False  # from AI Gateway's cache, which bills nothing
    charged: "Charged | None" = None  # known once the answer is complete


NOTHING_USED = Metered(Usage(), "none", Quantities(requests=0))


def metered_tokens(
    model: str,
    reported: Usage,
    *,
    prompt_characters: int,
    completion_characters: int,
    thought_characters: int | None = None,
    picture_tokens: int = 0,
    partial: bool = False,
    cached_answer: bool = False,
) -> Metered:
    """Token usage as reported, completed by estimates where upstream reported none.

    `picture_tokens` are those of a prompt's pictures, beside its characters. `thought_characters`
    are those of thoughts among the answer's, where their tokens are told too.
    """
    source = "partial" if partial else "upstream"
    if reported.known:
        if not partial:
            token_estimate.learn(
                model,
                prompt_characters=prompt_characters,
                prompt_tokens=reported.prompt_tokens,
                completion_characters=completion_characters,
                completion_tokens=reported.completion_tokens,
            )
    elif not partial:
        source = "estimated"
    prompt, completion = reported.prompt_tokens, reported.completion_tokens
    if prompt is None or (partial and not prompt):
        prompt = token_estimate.prompt_tokens(model, prompt_characters) + picture_tokens
    if completion is None or (partial and not completion):
        completion = token_estimate.completion_tokens(model, completion_characters)
    usage = reported
    if (prompt, completion) != (reported.prompt_tokens, reported.completion_tokens):
        usage = replace(reported, prompt_tokens=prompt, completion_tokens=completion)
    if thought_characters is not None:
        usage = usage.with_thoughts(thought_characters, of=completion_characters)
    quantities = Quantities(prompt, completion, usage.cached_tokens or 0)
    return Metered(usage, source, quantities, cached_answer)


def together(parts: Sequence[Metered], *, partial: bool = False) -> Metered:
    """The usage of several calls of one request; an answer from a cache is not charged."""
    if not parts:
        return NOTHING_USED
    charged = [part for part in parts if not part.cached_answer]
    usage = NOTHING
    for part in parts:
        usage = usage.plus(part.usage)
    measured = [part.usage.neurons for part in charged if part.usage.neurons is not None]
    # If one call was not measured, the sum would be too low: the price is used instead.
    all_measured = bool(charged) and len(measured) == len(charged)
    sources = {part.source for part in parts}
    if partial or "partial" in sources:
        source = "partial"
    else:
        source = "estimated" if "estimated" in sources else "upstream"
    return Metered(
        replace(usage, neurons=sum(measured, Decimal(0)) if all_measured else None),
        source,
        Quantities(
            prompt_tokens=sum(part.quantities.prompt_tokens for part in charged),
            completion_tokens=sum(part.quantities.completion_tokens for part in charged),
            cached_tokens=sum(part.quantities.cached_tokens for part in charged),
            requests=sum(part.quantities.requests for part in charged),
        ),
        cached_answer=not charged,
    )


def priced(metered: Metered, model: ModelRecord | None, *, tell: bool) -> Metered:
    """The same with what it costs, before the answer's last bytes are written; with `tell` its
    usage shows the cost."""
    charged = _charged(metered, model.prices if model is not None else None)
    usage = metered.usage
    if tell:
        usage = usage.with_cost(charged.cost_nano_usd)
    return Metered(usage, metered.source, metered.quantities, metered.cached_answer, charged)


def outcome_of(
    metered: Metered,
    model: ModelRecord | None,
    *,
    status: int,
    end_reason: str,
    error: ApiError | None = None,
    finish_reason: str = "",
    ttft_ms: int | None = None,
    attempts: int = 1,
) -> Outcome:
    """All that the ledger records about how a request ended."""
    usage = metered.usage
    prices = model.prices if model is not None else None
    charged = metered.charged or _charged(metered, prices)
    # All fields one by one: to pass so many by their names takes five times as long.
    outcome = Outcome.__new__(Outcome)
    outcome.status = status
    outcome.end_reason = end_reason
    outcome.error_code = (error.code or error.type) if error is not None else ""
    outcome.error_message = error.message if error is not None else ""
    outcome.finish_reason = finish_reason
    outcome.prompt_tokens = usage.prompt_tokens
    outcome.completion_tokens = usage.completion_tokens
    outcome.cached_tokens = usage.cached_tokens
    outcome.reasoning_tokens = usage.reasoning_tokens
    outcome.images = metered.quantities.images or None
    outcome.audio_ms = metered.quantities.audio_ms or None
    outcome.cost_nano_usd = charged.cost_nano_usd
    outcome.neurons_micro = charged.neurons_micro
    outcome.neurons_source = charged.neurons_source
    outcome.neurons_by_price_micro = charged.neurons_by_price_micro
    outcome.usage_source = metered.source
    outcome.price = None if prices is None else prices.as_json
    outcome.ttft_ms = ttft_ms
    outcome.attempts = attempts
    return outcome


class Charged(NamedTuple):
    """Neurons as measured where upstream says them, and beside them those of the price list."""

    cost_nano_usd: int | None
    neurons_micro: int | None
    neurons_source: str  # "usage", "header", "price", "none"
    neurons_by_price_micro: int | None


def _charged(metered: Metered, prices: Prices | None) -> Charged:
    if metered.source == "none" or metered.cached_answer:
        return Charged(0, 0, "none", 0)
    neurons, source = metered.usage.neurons, metered.usage.neurons_source
    measured = None if neurons is None else neurons_micro(neurons)
    cost = cost_nano_usd(prices, metered.quantities) if prices is not None else None
    if cost is None:
        if measured is None:
            return Charged(None, None, "none", None)
        return Charged(cost_from_neurons(measured), measured, source, None)
    by_price = neurons_micro_from_cost(cost)
    if measured is None:
        return Charged(cost, by_price, "price", by_price)
    return Charged(cost, measured, source, by_price)
