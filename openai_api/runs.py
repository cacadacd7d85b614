"""Requests that need several upstream calls: run side by side, with their usage summed.

A failure of one ends the others; what was used until then is recorded with the failure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from openai_api.exchange import Exchange
from openai_api.use.in_flight import InFlight
from openai_api.use.recording import Metered, metered_tokens, together
from openai_api.use.usage import Usage, UsageMeter
from workers_ai.answer import Answer
from workers_ai.client import WorkersAIClient
from workers_ai.errors import WorkersAIError

AT_ONCE = 8

T = TypeVar("T")


async def side_by_side(
    calls: Iterable[Callable[[], Awaitable[T]]], *, to_their_end: bool = False
) -> list[T]:
    """The results of the calls, in order; at most AT_ONCE run at a time. The first failure cancels
    the rest and is raised. With `to_their_end` those under way are awaited: another model answers
    only where none of them was paid for, and where one finds no capacity the others find none.
    """
    turn = asyncio.Semaphore(AT_ONCE)
    has_failed = False

    async def in_turn(call: Callable[[], Awaitable[T]]) -> T:
        nonlocal has_failed
        async with turn:
            if has_failed:
                raise asyncio.CancelledError
            try:
                return await call()
            except BaseException:
                has_failed = True
                raise

    tasks = [asyncio.ensure_future(in_turn(call)) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException as error:
        if not (to_their_end and isinstance(error, WorkersAIError)):
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class TextRuns:
    """The `ai/run` calls of one request, whose tokens are counted together."""

    def __init__(self, exchange: Exchange, client: WorkersAIClient) -> None:
        assert exchange.model is not None
        self._exchange = exchange
        self._client = client
        self.model = exchange.model.name
        self._done: list[Metered] = []
        self._waiting: set[InFlight] = set()
        exchange.used_so_far = self._used_so_far

    async def run(
        self,
        payload: bytes,
        *,
        characters: int,
        read: Callable[[Any], tuple[T, int]],
        most_tokens: int = 0,
    ) -> T:
        """One call. `characters` are those of its prompt, `most_tokens` the limit of its answer;
        `read` takes the result and returns what it makes of it, and how many characters the model
        wrote.
        """
        in_flight = InFlight(self.model, characters, most_tokens)
        self._waiting.add(in_flight)
        try:
            answer = await self._client.run(self.model, payload, caller=self._exchange.caller)
            self._exchange.attempts += answer.attempts
            result = answer.json()
            made, written = read(result)
        except WorkersAIError:
            self._waiting.discard(in_flight)
            # With the calls beside it, which are given up now.
            self._exchange.spent = self._used_so_far()
            raise
        self._waiting.discard(in_flight)
        self._done.append(
            metered_tokens(
                self.model,
                reported_usage(answer, result),
                prompt_characters=characters,
                completion_characters=written,
                cached_answer=answer.from_cache,
            )
        )
        return made

    def metered(self, *, partial: bool = False) -> Metered:
        """What the finished calls used; the cost too where they are all."""
        used = together(self._done, partial=partial)
        return used if partial else self._exchange.priced(used)

    def _used_so_far(self) -> Metered:
        """Includes the calls that upstream is still busy with, and charges for."""
        sent = len(self._waiting) - self._exchange.calls_in_line
        asked = [call.metered() for call in islice(self._waiting, max(sent, 0))]
        return together([*self._done, *asked], partial=True)


def reported_usage(answer: Answer, result: Any) -> Usage:
    """The usage that upstream reports for a run; empty when it reports none, or only zeros."""
    meter = UsageMeter()
    meter.take(result.get("usage") if isinstance(result, dict) else None, trailing=True)
    usage = meter.total
    if usage.neurons is None and answer.neurons is not None:
        usage = usage.with_neurons(answer.neurons)
    return usage
