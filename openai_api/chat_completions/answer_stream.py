"""A stream of the deltas of chat's normaliser, in whichever dialect they are written. Pure.

`openai_api/wire/streaming.py` drives it. A subclass says how the stream opens, how a delta is
written, and how the stream ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection

from openai_api.chat_completions.normalise import ChatNormaliser, Delta, Expected
from workers_ai.errors import WorkersAIError
from workers_ai.sse import Event


class AnswerStream(ABC):
    """The part of a StreamWriter that all dialects have in common."""

    def __init__(self, expected: Expected) -> None:
        self.normaliser = ChatNormaliser(expected)
        self.begun = False  # whether anything has been written
        # Whether upstream has said that the answer is complete. Each chunk asks.
        self.done = False
        self._failure: WorkersAIError | None = None

    @abstractmethod
    def opening(self) -> bytes:
        """What is sent when the answer has begun but has no text yet."""

    @abstractmethod
    def written(self, delta: Delta) -> bytes:
        """One delta, after the opening where it is the first."""

    @abstractmethod
    def ended(self, deltas: list[Delta]) -> bytes:
        """The last deltas, and what closes the answer."""

    def events(self, events: Collection[Event]) -> bytes:
        """What all events of one network read become, as one block.

        An error among them is raised by the next call, after what came before it is out.
        """
        if self._failure is not None:
            raise self._failure
        normaliser = self.normaliser
        blocks: list[bytes] = []
        try:
            for event in events:
                for delta in normaliser.take(event):
                    blocks.append(self.written(delta))
        except WorkersAIError as error:
            self._failure = error
            if not blocks:
                raise
        self.done = normaliser.done
        if not self.begun and normaliser.answered:
            # Upstream began the answer without text: the client is told so at once.
            return self.opening()
        return b"".join(blocks)

    def whole(self, content: bytes) -> bytes:
        """An answer that came as JSON although a stream was asked for."""
        block = b"".join(map(self.written, self.normaliser.take_whole(content)))
        self.done = self.normaliser.done
        return block

    def end(self) -> bytes:
        """What closes the answer; raises what `ChatNormaliser.end` raises."""
        if self._failure is not None:
            raise self._failure
        return self.ended(self.normaliser.end())

    @property
    def answered(self) -> bool:
        return self.normaliser.answered

    @property
    def finished(self) -> bool:
        return self._failure is None and self.normaliser.finished

    @property
    def finish_reason(self) -> str:
        return self.normaliser.finish_reason
