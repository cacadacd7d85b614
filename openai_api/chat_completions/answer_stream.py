"""A stream of the machine of `normalise.py`, whatever form its deltas are written in. Pure.

`openai_api/wire/streaming.py` drives it. A form says how it opens, how it writes a delta, and how
it ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection

from openai_api.chat_completions.normalise import ChatNormaliser, Delta, Expected
from workers_ai.errors import WorkersAIError
from workers_ai.sse import Event


class AnswerStream(ABC):
    """The half of a StreamWriter that all forms have in common."""

    def __init__(self, expected: Expected) -> None:
        self.machine = ChatNormaliser(expected)
        self.begun = False  # whether anything has been written
        self._failure: WorkersAIError | None = None

    @abstractmethod
    def opening(self) -> bytes:
        """What an answer begins with that has no text yet."""

    @abstractmethod
    def written(self, delta: Delta) -> bytes:
        """One delta, with what opens the answer where it is the first."""

    @abstractmethod
    def ended(self, deltas: list[Delta]) -> bytes:
        """The last deltas, and what closes the answer."""

    def events(self, events: Collection[Event]) -> bytes:
        """What all events of one network read become, as one block.

        An error among them is raised by the next call, after what came before it is out.
        """
        if self._failure is not None:
            raise self._failure
        blocks: list[bytes] = []
        try:
            for event in events:
                for delta in self.machine.take(event):
                    blocks.append(self.written(delta))
        except WorkersAIError as error:
            self._failure = error
            if not blocks:
                raise
        if not self.begun and self.machine.answered:
            # Upstream opened the answer without text yet: the client learns that at once too.
            return self.opening()
        return b"".join(blocks)

    def whole(self, content: bytes) -> bytes:
        """An answer that came as JSON although a stream was asked for."""
        return b"".join(map(self.written, self.machine.take_whole(content)))

    def end(self) -> bytes:
        """What closes the answer; raises what `machine.end` raises."""
        if self._failure is not None:
            raise self._failure
        return self.ended(self.machine.end())

    @property
    def answered(self) -> bool:
        return self.machine.answered

    @property
    def done(self) -> bool:
        return self.machine.done

    @property
    def finish_reason(self) -> str:
        return self.machine.finish_reason
