"""What an answer used, as upstream reported it, and the rules for upstream's contradictory reports.
Pure.

Upstream reports usage never, once, on every chunk as increments, on every chunk as running totals,
and then once more in a trailing chunk. `UsageMeter` turns any of these into one figure. Missing is
not zero.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final


# Never changed once made, but not frozen: that takes five times as long to make, and some models
# report what they used with every chunk.
@dataclass(slots=True)
class Usage:
    """Counts of one answer; None means that nobody reported it. `neurons` is what was billed, as
    upstream's `usage` or its header `cf-ai-neurons` says (`neurons_source`: "usage", "header").
    `cost_nano_usd` is set where the answer shows it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    neurons: Decimal | None = None
    neurons_source: str = "usage"
    cost_nano_usd: int | None = None

    @property
    def known(self) -> bool:
        return self.prompt_tokens is not None or self.completion_tokens is not None

    def with_neurons(self, neurons: Decimal) -> "Usage":
        """The same with the neurons that the answer's header gives."""
        return Usage(
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.reasoning_tokens,
            neurons,
            "header",
            self.cost_nano_usd,
        )

    def with_cost(self, cost_nano_usd: int | None) -> "Usage":
        """The same, showing what it cost."""
        return Usage(
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.reasoning_tokens,
            self.neurons,
            self.neurons_source,
            cost_nano_usd,
        )

    def with_thoughts(self, characters: int, *, of: int) -> "Usage":
        """The same with the tokens of thoughts: upstream's count, which it rarely gives, or else
        the share that their characters have `of` all."""
        if self.reasoning_tokens is not None:
            return self
        return Usage(
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            (self.completion_tokens or 0) * characters // of if of else 0,
            self.neurons,
            self.neurons_source,
            self.cost_nano_usd,
        )

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            _sum(self.prompt_tokens, other.prompt_tokens),
            _sum(self.completion_tokens, other.completion_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
            None
            if self.neurons is None and other.neurons is None
            else (self.neurons or Decimal(0)) + (other.neurons or Decimal(0)),
            other.neurons_source if self.neurons is None else self.neurons_source,
        )

    def as_openai(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        prompt, completion = self.prompt_tokens or 0, self.completion_tokens or 0
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens or 0},
        }
        if self.reasoning_tokens is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        if self.cost_nano_usd is not None:
            usage |= self.shown_cost()
        return usage

    def shown_cost(self) -> dict[str, float]:
        """`cost` in USD, for the usage of any dialect: exactly the row's figure, as a number."""
        return {} if self.cost_nano_usd is None else {"cost": self.cost_nano_usd / NANO}


NANO: Final = 10**9
NOTHING = Usage()


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


def count(value: Any) -> int | None:
    """A token count as upstream may write it; None for anything else."""
    if type(value) is int:  # a boolean is an int in Python
        return value if 0 <= value < 2**53 else None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float) and 0 <= value < 2**53:
        return int(value)
    return None


def neurons(value: Any) -> Decimal | None:
    """Neurons as a decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def read_usage(reported: Any) -> Usage | None:
    """The contents of upstream's `usage` object; None when it reports nothing."""
    if not isinstance(reported, dict):
        return None
    prompt = count(reported.get("prompt_tokens", reported.get("input_tokens")))
    completion = count(reported.get("completion_tokens", reported.get("output_tokens")))
    if completion is None and prompt is not None:
        total = count(reported.get("total_tokens"))
        if total is not None and total >= prompt:
            completion = total - prompt
    cached = reasoning = None
    details = reported.get("prompt_tokens_details")
    if isinstance(details, dict):
        cached = count(details.get("cached_tokens"))
        if cached is not None and prompt is not None:
            cached = min(cached, prompt)  # a subset of the prompt, by definition
    details = reported.get("completion_tokens_details")
    if isinstance(details, dict):
        reasoning = count(details.get("reasoning_tokens"))
    billed = neurons(reported["neurons"]) if "neurons" in reported else None
    found = (prompt, completion, cached, reasoning, billed)
    return Usage(*found) if found.count(None) < len(found) else None


class UsageMeter:
    """Reports in, one total out, whichever way the backend counts."""

    __slots__ = ("_incremental", "_last", "_sum", "_trailing")

    def __init__(self) -> None:
        self._last: Usage | None = None
        self._sum = NOTHING
        self._trailing: Usage | None = None
        self._incremental = False

    def take(self, reported: Any, *, trailing: bool) -> None:
        """`trailing` reports come without choices: those are upstream's own totals."""
        usage = read_usage(reported)
        if usage is None:
            return
        if trailing:
            if not _all_zero(usage) or self._trailing is None:
                self._trailing = usage
            return
        last = self._last
        if last is not None and _all_zero(usage):
            return
        if last is not None:
            if not usage.prompt_tokens and (last.prompt_tokens or self._incremental):
                self._incremental = True
            elif self._incremental:
                # Increments, then a report that has the prompt again: that one is the total.
                self._incremental = False
                self._sum = NOTHING
        self._sum = usage if self._sum is NOTHING else self._sum.plus(usage)
        self._last = usage

    @property
    def total(self) -> Usage:
        """The figure to bill; NOTHING when upstream reported none, or only zeros."""
        chosen = self._trailing
        if chosen is None or _all_zero(chosen):
            chosen = (self._sum if self._incremental else self._last) or chosen
        if chosen is None or _all_zero(chosen):
            return NOTHING
        return chosen


def _all_zero(usage: Usage) -> bool:
    return not usage.prompt_tokens and not usage.completion_tokens and not usage.neurons
