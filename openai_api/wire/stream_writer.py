"""What a stream needs of an endpoint: a writer that puts upstream's events in its own form."""

from collections.abc import Collection
from typing import Protocol

from openai_api.errors import ApiError
from openai_api.use.usage import Usage
from workers_ai.sse import Event


class StreamWriter(Protocol):
    """An endpoint's normaliser and its form of events. Pure: bytes come out, nothing is sent."""

    @property
    def answered(self) -> bool:
        """Whether upstream has begun an answer."""

    @property
    def done(self) -> bool:
        """Whether upstream has said that the answer is complete."""

    @property
    def finished(self) -> bool:
        """Whether the answer has come whole, though upstream may not have said so."""

    @property
    def finish_reason(self) -> str:
        """How the answer ended, after `end`."""

    def events(self, events: Collection[Event]) -> bytes:
        """What the events of one network read become."""

    def whole(self, content: bytes) -> bytes:
        """What an answer that came as JSON becomes."""

    def end(self) -> bytes:
        """What closes the answer; raises where it is not complete."""

    def last(self, usage: Usage) -> bytes:
        """The very last bytes, after the row is committed."""

    def failed(self, error: ApiError) -> bytes:
        """The event that ends a stream that failed."""

    def anew(self) -> "StreamWriter":
        """A new writer for a second try."""
