"""What came of one try, in words that hold no secret."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    arrived: bool
    words: str
    # What the receiver asked for, if it did.
    retry_after_s: float | None = None
