"""What can go wrong with Workers AI. `failures/` reads Cloudflare's answers as one of these.

WorkersAIError
├── Unreachable           no connection, or it broke before an answer began
├── TimedOut              one of our own time-outs ran out (`phase` says which)
├── StreamCut             the connection broke, or the stream stopped, in the middle
├── UnusableAnswer        a success that is empty or is not what the API promises
└── Refused               Cloudflare answered with a failure (`status`, `code`, `message`)
    ├── BadInput              the request itself, in upstream's words
    │   ├── ContextTooLong        prompt + max_tokens do not fit the model
    │   ├── LimitTooLarge         the output limit alone is above what the model can give
    │   ├── SchemaUnmet           this answer did not fit the JSON schema; the next one may
    │   └── ContentRefused        a safety filter or guardrail refused the prompt or the answer
    ├── RequestTooLarge
    ├── ModelMissing          no such model, or no longer
    ├── ModelNotForAccount    private, by form, or needs the paid plan
    │   └── LicenceNotAccepted    its terms must be accepted once for the account
    ├── TryAgainSoon          worth another try in seconds
    │   ├── RateReached           the account's requests per minute
    │   │   └── RateTaken             others before this one use them up; it was not sent
    │   └── NoCapacity
    ├── AllocationUsedUp      the account's neurons of the day are used up
    ├── SpendLimitReached     a spend limit of the account's AI Gateway
    ├── PolicyDenied          a policy of the account's AI Gateway
    ├── UpstreamTimedOut      Cloudflare's own time-out
    ├── AccountFault          credentials, account or AI Gateway: only the operator can fix it
    └── ServerFault           everything else that is not the caller's fault
        └── Overloaded            the status that says so, without words
"""

from dataclasses import dataclass


class WorkersAIError(Exception):
    """Any failure of a call; `attempts` counts the tries that were made, `account` names the
    account where there are several."""

    attempts: int = 1
    account: str = ""


class Unreachable(WorkersAIError):
    """No connection, or one that broke before an answer began; `sent` when the request had left."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(WorkersAIError):
    """One of our time-outs ran out; `phase` is connect, pool, first_byte, idle or total, and
    `waited_for` tells more of it."""

    def __init__(self, phase: str, limit_s: float, waited_for: str = "") -> None:
        more = f": {waited_for}" if waited_for else ""
        super().__init__(f"Workers AI did not answer in time ({phase}, {limit_s:g} s{more})")
        self.phase = phase
        self.limit_s = limit_s


class StreamCut(WorkersAIError):
    """The answer stopped in the middle."""


class UnusableAnswer(WorkersAIError):
    """A success that holds nothing, or not what the API promises."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens as a failure names them; None for what it does not name.

    `window`: the most that the model takes, `asked`: prompt and output limit together, `prompt`:
    the prompt alone, `output`: the output limit that was asked for, `most_output`: the highest
    output limit that the model takes.
    """

    window: int | None = None
    asked: int | None = None
    prompt: int | None = None
    output: int | None = None
    most_output: int | None = None


NO_COUNTS = TokenCounts()


class Refused(WorkersAIError):
    """Cloudflare answered with a failure. `message` is upstream's text without prefix and id,
    `tokens` the numbers in it where it is about length."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        retry_after_s: float | None = None,
        upstream_id: str = "",
        tokens: TokenCounts = NO_COUNTS,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.tokens = tokens
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.upstream_id = upstream_id

    def __str__(self) -> str:
        return f"HTTP {self.status}, code {self.code}: {self.message}"


class BadInput(Refused):
    """The request does not fit the model's schema or the inference server refused it."""


class ContextTooLong(BadInput):
    """Prompt and output limit together exceed the model's context window."""


class LimitTooLarge(BadInput):
    """The output limit is above the most that the model can give, whatever the prompt."""


class SchemaUnmet(BadInput):
    """What the model wrote this time does not fit the JSON schema: another try may succeed."""


class ContentRefused(BadInput):
    """A safety filter or guardrail refused the prompt or the answer."""


class RequestTooLarge(Refused):
    """The body is larger than Cloudflare takes."""


class ModelMissing(Refused):
    """No such model or task, or the model was removed."""


class ModelNotForAccount(Refused):
    """The model needs a plan or a permission that the account lacks."""


class LicenceNotAccepted(ModelNotForAccount):
    """The model's terms must be accepted once for the account."""


class TryAgainSoon(Refused):
    """Busy; the same request may succeed in seconds."""


class RateReached(TryAgainSoon):
    """The account's requests per minute for this task or model."""


class RateTaken(RateReached):
    """Others before this one use up the account's requests per minute. It was not sent."""


class NoCapacity(TryAgainSoon):
    """No capacity at the moment."""


class AllocationUsedUp(Refused):
    """The account's neurons of the day are used up; they return at 00:00 UTC."""


class SpendLimitReached(Refused):
    """A spend limit of the account's AI Gateway is reached, until its window ends."""


class PolicyDenied(Refused):
    """A policy of the account's AI Gateway denies the request; only the operator can change it."""


class UpstreamTimedOut(Refused):
    """Cloudflare timed out waiting for its own inference server."""


class AccountFault(Refused):
    """Credentials, account, plan or AI Gateway are wrong; only the operator can fix them."""


class ServerFault(Refused):
    """A fault on Cloudflare's side."""


class Overloaded(ServerFault):
    """The status by which edges and APIs say that they are overloaded, without a word of why."""
