"""JSON that a model put into a fence of Markdown, taken out of it. Pure.

An answer that was asked for in JSON has to parse, and none that begins with a fence does. Models
that are not held to JSON write one nevertheless.
"""

import re
from typing import Final

# Up to how many characters the beginning is looked at, and white space at the end held back.
_MOST_HELD: Final = 64
_OPENING: Final = re.compile(r"\s*```(?:json)?\s*(?=[{\[])", re.IGNORECASE)
_MAY_OPEN: Final = re.compile(r"\s*(?:`{0,2}|```\w*\s*)\Z")
_CLOSING: Final = "`" + " \t\r\n"


class Unfencer:
    """Text in, text without the fence around it out; both may be cut anywhere."""

    __slots__ = ("_held", "_inside", "is_over")

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self.is_over = False  # there is no fence: all that follows is given out as it is

    def feed(self, text: str) -> str:
        text, self._held = self._held + text, ""
        if not self._inside:
            opening = _OPENING.match(text)
            if opening is None:
                if len(text) <= _MOST_HELD and _MAY_OPEN.match(text):
                    self._held = text
                    return ""
                self.is_over = True
                return text
            self._inside = True
            text = text[opening.end() :]
        given = text.rstrip(_CLOSING)
        if len(text) - len(given) > _MOST_HELD:
            return text
        self._held = text[len(given) :]
        return given

    def end(self) -> str:
        """What was held back, but for the end of a fence."""
        held, self._held = self._held, ""
        return "" if self._inside and held.strip().startswith("```") else held
