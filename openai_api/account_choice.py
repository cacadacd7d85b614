"""Which of several Cloudflare accounts makes the calls of one request, and which one after that.

All calls of a request use one account as long as that can. A conversation stays with its account,
for its prompt cache. An account whose rate is used up is waited for only where no other has room.
"""

import time
from typing import Final

from django.conf import settings

from catalog import accounts
from catalog.snapshot import ModelRecord
from keys.limits.ticket import Ticket
from openai_api.account_turns import Turns
from openai_api.errors import report
from workers_ai.errors import (
    AccountFault,
    AllocationUsedUp,
    ModelNotForAccount,
    RateReached,
    SpendLimitReached,
    WorkersAIError,
)

# Read once: asking the settings is a call, and most gateways have one account.
SEVERAL: Final = bool(settings.CLOUDFLARE_ACCOUNTS)
FAULT_REST_S: Final = 60.0
_DAY_S: Final = 86_400


class AccountChoice:
    """For one request and model. `conversation` says what the account should stay the same for."""

    __slots__ = (
        "_left",
        "_request_id",
        "_shown",
        "_ticket",
        "_turns",
        "_waits_for",
        "conversation",
    )

    def __init__(self, ticket: Ticket, turns: Turns) -> None:
        self._ticket = ticket
        self._turns = turns
        self.conversation = ""
        self._left: list[str] = []
        # Where to wait for a turn once all have been asked.
        self._waits_for = ""
        # The failure that tells the client the most.
        self._shown: WorkersAIError | None = None

    @property
    def model(self) -> ModelRecord:
        return self._turns.model

    @property
    def moves_on(self) -> bool:
        """Whether another account is left, so that nobody waits for this one."""
        return bool(self._left)

    def first(self) -> str:
        """Begins a call."""
        self._shown, self._waits_for = None, ""
        self._left = accounts.order(self.conversation, self.model.name)
        current = self._ticket.account
        if not self.conversation and current in self._left:
            # Further calls of the request.
            self._left.remove(current)
            self._left.insert(0, current)
        return self._next()

    def after(self, error: WorkersAIError) -> str:
        """The account to ask after this failure; raises what the client shall see."""
        account = self._ticket.account
        if isinstance(error, RateReached):
            self._waits_for = self._waits_for or account
        elif isinstance(error, AccountFault | AllocationUsedUp | SpendLimitReached):
            accounts.rest(account, "", *_rest_of(error))
            if not isinstance(error, AllocationUsedUp):
                report(error, request_id=self._ticket.request_id)
        elif isinstance(error, ModelNotForAccount):
            why = f"it may not use {self.model.name}"
            accounts.rest(account, self.model.name, accounts.LONGEST_REST_S, why)
        else:
            raise error
        if self._shown is None or isinstance(self._shown, AccountFault):
            self._shown = error
        if not self._left and self._waits_for and not isinstance(error, RateReached):
            self._left, self._waits_for = [self._waits_for], ""
        if not self._left:
            raise self._shown
        return self._next()

    def answered(self) -> None:
        accounts.answered(self._ticket.account, self.model.name)

    def _next(self) -> str:
        account = self._ticket.account = self._left.pop(0)
        self._turns.passing = bool(self._left)
        return account


def _rest_of(error: WorkersAIError) -> tuple[float, str]:
    """For how many seconds a whole account is not asked, and why."""
    if isinstance(error, AllocationUsedUp):
        left_s = _DAY_S - time.time() % _DAY_S
        return left_s, "its neurons of the day are used up"
    if isinstance(error, SpendLimitReached):
        rest_s = error.retry_after_s
        why = "a spend limit of its AI Gateway is reached"
        return accounts.LONGEST_REST_S if rest_s is None else rest_s, why
    return FAULT_REST_S, "Cloudflare refuses its token or settings"
