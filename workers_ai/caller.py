"""For whom a call is made, as far as the client has to know."""

from typing import NamedTuple, Protocol

from workers_ai.errors import RateReached


class Turns(Protocol):
    """Whoever knows when this account's next request may be sent."""

    def may_go(self) -> bool:
        """Whether the next call may be sent at once. It is then taken to be sent."""

    async def take(self) -> None:
        """Waits for a turn; raises RateTaken where none comes in time."""

    def refused(self, error: RateReached) -> bool:
        """Upstream refused a request for its rate; whether to wait for a turn and send it again."""


class Caller(NamedTuple):
    """For whom a call is made: an opaque id of who must not take all connections, what AI Gateway
    is told of them, whether they wait for a model that is busy or fails, and when it is their turn
    to be sent, where the account's rates are shared."""

    id: str
    gateway_headers: tuple[tuple[bytes, bytes], ...] = ()
    waits: bool = True
    turns: Turns | None = None
