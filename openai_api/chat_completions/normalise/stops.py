"""Stop sequences for models that do not support them: the text is cut where the model would have
stopped. Pure.
"""

from collections.abc import Sequence

from openai_api.chat_completions.normalise.thinking import without_partial


class StopCutter:
    """Text in, text up to the first stop sequence out; a sequence may be split over pieces."""

    __slots__ = ("_held", "_stops", "cut", "found")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.cut = False
        self.found = ""  # the stop sequence that the text was cut at

    def feed(self, text: str) -> str:
        if self.cut:
            return ""
        text, self._held = self._held + text, ""
        found = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.cut = True
            position, self.found = min(found)
            return text[:position]
        kept = min((without_partial(text, stop) for stop in self._stops), key=lambda p: len(p[0]))
        text, self._held = kept
        return text

    def end(self) -> str:
        """What was held back because a stop sequence might have begun there."""
        held, self._held = self._held, ""
        return "" if self.cut else held
