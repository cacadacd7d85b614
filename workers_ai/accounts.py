"""One client for several accounts of Cloudflare: each call is made by one of them.

All have the same host, and share the connections to it. Which account makes a call, and whether
another shall after a failure, is decided by the caller (`caller.Accounts`). Without one, as for the
catalog, the accounts are asked in their order until one is let in.
"""

from collections.abc import Mapping
from typing import Any

from workers_ai.answer import Answer
from workers_ai.caller import Accounts
from workers_ai.client import Account, Call, Live, WorkersAIClient
from workers_ai.errors import AccountFault, WorkersAIError


class SeveralAccounts(WorkersAIClient):
    """`accounts` by their names, of which there must be one. Use one per event loop."""

    def __init__(self, accounts: Mapping[str, Account], **options: Any) -> None:
        first, *_ = accounts.values()
        super().__init__(first, **options)
        options["pool"] = self._pool
        self._of = {name: WorkersAIClient(each, **options) for name, each in accounts.items()}

    def each(self) -> list[WorkersAIClient]:
        """For what has to be done in every account."""
        return list(self._of.values())

    async def _send(self, call: Call, *, live: type[Live] | None = None) -> Answer | Live:
        accounts: Accounts = call.caller.accounts or _InOrder(self)
        name, attempts = accounts.first(), 0
        while True:
            try:
                answer = await self._of[name]._send(call, live=live)
            except WorkersAIError as error:
                attempts += error.attempts
                error.attempts = attempts
                error.account = name
                name = accounts.after(error)
            else:
                answer.attempts += attempts
                accounts.answered()
                return answer


class _InOrder:
    """The accounts in their order, each once; notes which of them Cloudflare refuses."""

    moves_on = False

    def __init__(self, client: SeveralAccounts) -> None:
        self._refused = client.refused
        self._left = list(client._of)

    def first(self) -> str:
        return self._left.pop(0)

    def after(self, error: WorkersAIError) -> str:
        if not isinstance(error, AccountFault):
            raise error
        self._refused[error.account] = error
        if not self._left:
            raise error
        return self._left.pop(0)

    def answered(self) -> None:
        """Nothing to note."""
