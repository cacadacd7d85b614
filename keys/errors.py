"""What can be wrong with a key, its limits or the ledger. The API adds HTTP status and error code.

KeysError
├── InvalidKey                 the caller is not identified
│   ├── MissingKey
│   ├── MalformedKey
│   ├── UnknownKey
│   │   └── KeyUnknownSoFar    well-formed, not in memory; the database is not asked yet
│   ├── RevokedKey
│   ├── ExpiredKey
│   ├── PlaygroundTokenExpired
│   └── OwnerInactive
├── NotPermitted               identified, but not allowed this
│   ├── EndpointNotAllowed
│   └── AddressNotAllowed
├── LimitReached               try again soon
│   ├── RequestRateReached
│   ├── TokenRateReached
│   └── ConcurrencyReached
├── BudgetUsedUp               try again when the window ends; a total budget has no end
│   └── CountUsedUp            the same for requests and tokens of a day, week, month or in all
├── LedgerUnavailable          the request could not be recorded, so it is not admitted
│   ├── LedgerFull
│   └── NotRecordedInTime      the answer is complete, its row is not committed yet
├── RowRefused                 the database rejects this row, however often it is retried
└── CannotChangeKey            an operator asked for a change that the rules of keys forbid

Messages may be shown to the caller. None contains a key or a part of one.
"""

import math
import time


class KeysError(Exception):
    """Base class of every error that this package raises on purpose."""


class InvalidKey(KeysError):
    """The request has no key, or a key that is not in force."""

    message = "The API key is not valid."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class MissingKey(InvalidKey):
    """No key was sent."""

    message = (
        "You did not provide an API key. Send it as 'Authorization: Bearer KEY' "
        "or as 'x-api-key: KEY'."
    )


class MalformedKey(InvalidKey):
    """What was sent cannot be a key of this gateway."""

    message = (
        "Incorrect API key provided: it is not a key of this gateway. "
        "Check that it was copied whole and is sent as 'Authorization: Bearer KEY'."
    )


class UnknownKey(InvalidKey):
    """Well-formed, but never issued here, or deleted."""

    message = "Incorrect API key provided: this gateway does not know it."


class KeyUnknownSoFar(UnknownKey):
    """Not in memory. It may have been issued a moment ago: ask `KeyIndex.lookup` once."""

    def __init__(self, digest: bytes) -> None:
        super().__init__()
        self.digest = digest


class RevokedKey(InvalidKey):
    """Issued here and revoked since."""

    message = "This API key has been revoked."


class ExpiredKey(InvalidKey):
    """The key has expired, or its secret was replaced by a rotation and the overlap has ended."""

    message = "This API key has expired."


class PlaygroundTokenExpired(InvalidKey):
    """The page has to request another token."""

    message = "The playground's token has expired: the page requests a new one automatically."


class OwnerInactive(InvalidKey):
    """The account that owns the key was deactivated."""

    message = "The account that this API key belongs to is not active."


class NotPermitted(KeysError):
    """The key is in force but does not allow this request."""


class EndpointNotAllowed(NotPermitted):
    """The key is limited to other endpoints."""

    def __init__(self, endpoint: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            f"This API key may not use the endpoint '{endpoint}'. "
            f"It may use: {', '.join(allowed) or 'none'}."
        )
        self.endpoint = endpoint
        self.allowed = allowed


class AddressNotAllowed(NotPermitted):
    """The request comes from outside the key's networks."""

    def __init__(self, address: str) -> None:
        super().__init__(f"This API key may not be used from the address {address or 'unknown'}.")
        self.address = address


class LimitReached(KeysError):
    """A limit of requests or tokens a minute, or of requests at once. It soon has room again."""

    noun = "limit"
    window = "minute"

    def __init__(
        self,
        *,
        limit_value: int,
        retry_after_s: float,
        reset_at: float,
        whose: str = "this API key",
    ) -> None:
        super().__init__(
            f"Rate limit reached: the {self.noun} limit of {limit_value:,} for {whose}. "
            f"Please try again in {max(1, math.ceil(retry_after_s))}s "
            f"(resets at {moment_text(reset_at)})."
        )
        self.limit = self.noun
        self.limit_value = limit_value
        self.retry_after_s = retry_after_s
        self.reset_at = reset_at


class RequestRateReached(LimitReached):
    """The key has made as many requests as it may in a minute."""

    noun = "requests per minute"


class TokenRateReached(LimitReached):
    """The key has used as many tokens as it may in a minute, those of running requests included."""

    noun = "tokens per minute"


class ConcurrencyReached(LimitReached):
    """As many requests of the key are running as it may have at once."""

    noun = "requests at once"
    window = "now"


class BudgetUsedUp(KeysError):
    """A holder of limits has too little money or too few neurons left in a calendar window.

    `limit` names it, such as "daily budget"; the amounts are texts with their unit.
    """

    reached = "Budget reached"

    def __init__(
        self,
        *,
        limit: str,
        whose: str,
        limit_text: str,
        left_text: str,
        asked_text: str,
        window: str,
        reset_at: float | None,
    ) -> None:
        end = (
            "It does not reset: the operator can raise it."
            if reset_at is None
            else f"It resets at {moment_text(reset_at)}."
        )
        # '$0.02', '1 request', '0 requests'.
        verb = "are" if left_text.endswith("s") else "is"
        super().__init__(
            f"{self.reached}: of the {limit} of {limit_text} for {whose}, {left_text} {verb} left, "
            f"and this request may use up to {asked_text}. {end}"
        )
        self.limit = limit
        self.window = window
        self.reset_at = reset_at


class CountUsedUp(BudgetUsedUp):
    """A holder of limits has too few requests or tokens left in a calendar window."""

    reached = "Rate limit reached"

    @property
    def noun(self) -> str:
        return self.limit


class LedgerUnavailable(KeysError):
    """The ledger cannot record requests now, so none may be admitted."""


class LedgerFull(LedgerUnavailable):
    """The database has been unreachable for so long that the queue of rows in memory is full."""


class NotRecordedInTime(LedgerUnavailable):
    """The answer is complete and paid for; its row still waits in memory for the database."""


class RowRefused(KeysError):
    """The database rejected this row because of its content."""


class CannotChangeKey(KeysError):
    """A key out of force cannot be rotated, and the static key is changed in the settings."""


def moment_text(epoch_s: float) -> str:
    """'2026-11-23T00:12:00Z', rounded up, so that waiting until then is enough."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(epoch_s)))
