"""The next model of an alias answers when the one before it cannot.

Only before the first byte, only for failures that are the model's (`model_failures.py`), and only
where nothing was paid yet. A model that cannot do what was asked, or for which no limit or budget
has room, is passed over. The last failure is the one that the client sees.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from django.http.response import HttpResponseBase

from catalog import resolve as catalog
from catalog.snapshot import ModelRecord
from keys.errors import BudgetUsedUp, LimitReached
from openai_api.errors import ApiError
from openai_api.exchange import Exchange
from openai_api.model_failures import is_the_models, note_failure
from openai_api.use.recording import NOTHING_USED
from workers_ai.errors import WorkersAIError

logger = logging.getLogger(__name__)


class Run(Protocol):
    """A request that can be planned for one model after the other."""

    @property
    def is_paid_for(self) -> bool:
        """Whether something is set aside for it."""

    async def plan(self, model: ModelRecord) -> None:
        """Plans it for the first model. Raises ApiError where that cannot do what is asked."""

    async def plan_again(self, model: ModelRecord) -> None:
        """Plans it for this model. Raises ApiError where the model cannot do what is asked, and
        LimitReached or BudgetUsedUp where there is no room for it."""

    async def response(self) -> HttpResponseBase:
        """The answer of the model that it is planned for."""


class Standbys:
    """The models that have not been asked yet, of one request."""

    def __init__(self, run: Run, name: str, endpoint: str, exchange: Exchange) -> None:
        assert exchange.model is not None
        self._run = run
        self._name = name
        self._endpoint = endpoint
        self._exchange = exchange
        self._tried = [exchange.model.name]
        self._attempts_before = 0
        exchange.others_stand_by = bool(self._left())

    def _left(self) -> Sequence[ModelRecord]:
        allows = self._exchange.key.allows_model
        return catalog.standbys(
            self._name, endpoint=self._endpoint, allows=allows, tried=self._tried
        )

    async def plan_first(self) -> None:
        """Plans the request for the first model that can do what is asked. Raises what the alias's
        own model cannot where none can."""
        exchange, refusal = self._exchange, None
        model = exchange.model
        while model is not None:
            try:
                await self._run.plan(model)
            except ApiError as error:
                if self._run.is_paid_for:  # the same for every model
                    raise
                refusal = refusal or error
            else:
                exchange.model, exchange.ticket.model = model, model.name
                exchange.others_stand_by = bool(self._left())
                return
            model = next(iter(self._left()), None)
            if model is not None:
                self._tried.append(model.name)
        assert refusal is not None
        raise refusal

    async def take_over(self, error: WorkersAIError) -> bool:
        """Plans the request for the next model that can do it; False where none shall answer."""
        exchange = self._exchange
        assert exchange.model is not None
        self._attempts_before += error.attempts
        exchange.attempts = max(exchange.attempts, self._attempts_before)
        if not self._may_go_on(error):
            return False
        note_failure(exchange.model, error)
        failed = exchange.model.name
        while left := self._left():
            model = left[0]
            self._tried.append(model.name)
            exchange.others_stand_by = len(left) > 1
            try:
                await self._run.plan_again(model)
            except (ApiError, LimitReached, BudgetUsedUp):
                continue
            logger.info("%s: %s goes on with %s.", error, failed, model.name)
            return True
        return False

    async def stream_after(self, error: WorkersAIError) -> HttpResponseBase:
        """The stream of the next model, for one that has not begun. Raises the last failure."""
        while await self.take_over(error):
            try:
                response = await self._run.response()
            except WorkersAIError as next_error:
                error = next_error
            else:
                return response
        raise error

    def _may_go_on(self, error: WorkersAIError) -> bool:
        exchange = self._exchange
        return (
            is_the_models(error)
            and exchange.ttft_ms is None
            and exchange.spent is NOTHING_USED
            and not exchange.ticket.is_settled
        )
