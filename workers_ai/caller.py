"""For whom a call is made, as far as the client has to know."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from workers_ai.errors import RateReached, WorkersAIError


class Turns(Protocol):
    """Whoever knows when this account's next request may be sent."""

    def may_go(self) -> bool:
        """Whether the next call may be sent at once. It is then taken to be sent."""

    async def take(self) -> None:
        """Waits for a turn; raises RateTaken where none comes in time."""

    def refused(self, error: RateReached) -> bool:
        """Upstream refused a request for its rate; whether to wait for a turn and send it again."""


class CallTrace(Protocol):
    """What a trace has of one call. `headers` go with it."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]: ...

    def answered(self, status: int, *, from_cache: bool) -> None: ...

    def end(self, error: BaseException | None = None) -> None:
        """The answer is in, or will not come. Only the first call counts."""


class Trace(Protocol):
    """Whoever traces the calls of a request."""

    def call(self, what: str, attempt: int) -> CallTrace | None:
        """A call begins, of the model or of `what` else; None where it is not traced."""


class Accounts(Protocol):
    """Whoever knows which of several accounts makes a call."""

    @property
    def moves_on(self) -> bool:
        """Whether another is asked when the rate of this one is used up."""

    def first(self) -> str:
        """The name of the account to ask."""

    def after(self, error: WorkersAIError) -> str:
        """The account to ask after a failure; raises the failure to show where none shall be."""

    def answered(self) -> None:
        """The account that was asked last has answered."""


class Caller(NamedTuple):
    """For whom a call is made: an opaque id of who must not take all connections, what AI Gateway
    is told of them, whether they wait for a model that is busy or fails, when it is their turn to
    be sent, where the account's rates are shared, and what traces them."""

    id: str
    gateway_headers: tuple[tuple[bytes, bytes], ...] = ()
    waits: bool = True
    turns: Turns | None = None
    accounts: Accounts | None = None
    trace: Trace | None = None


# For calls that nobody's request asks for, such as the catalog's.
NOBODY: Final = Caller("")
