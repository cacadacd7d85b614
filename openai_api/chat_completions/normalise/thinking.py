"""Thoughts that a model writes into its text, `<think>…</think>`, separated from the answer. Pure.

deepseek-r1-distill and qwq do this; the opening tag may be missing because the chat template
already opened it, and either tag may be split over chunks.
"""

OPEN, CLOSE = "<think>", "</think>"

Pieces = list[tuple[str, str]]  # ("reasoning" | "content", text)


class ThinkingSplitter:
    """Text in, pieces out. `opened_by_template`: text that starts without the tag is a thought
    too.
    """

    __slots__ = ("_assumed", "_held", "_opened_by_template", "_state")

    def __init__(self, *, opened_by_template: bool) -> None:
        self._opened_by_template = opened_by_template
        self._state = "start"
        self._held = ""
        # Text given out as a thought although no tag says so: it may turn out to be the answer.
        self._assumed: list[str] | None = None

    def feed(self, text: str) -> Pieces:
        pieces: Pieces = []
        text = self._held + text
        self._held = ""
        if self._state == "start":
            stripped = text.lstrip()
            if stripped.startswith(OPEN):
                self._state, text = "thinking", stripped[len(OPEN) :].lstrip("\n")
            elif not stripped or OPEN.startswith(stripped):
                self._held = text
                return pieces
            elif self._opened_by_template:
                self._state, self._assumed = "thinking", []
            else:
                self._state = "content"
        if self._state == "thinking":
            thought, tag, rest = text.partition(CLOSE)
            if not tag:
                thought, self._held = without_partial(thought, CLOSE)
            if thought:
                pieces.append(("reasoning", thought))
                if self._assumed is not None:
                    self._assumed.append(thought)
            if not tag:
                return pieces
            self._state, text, self._assumed = "after", rest, None
        if self._state == "after":
            text = text.lstrip()
            if text:
                self._state = "content"
        if text:
            pieces.append(("content", text))
        return pieces

    @property
    def is_over(self) -> bool:
        """Whether only the answer follows, so that nothing need be separated any more."""
        return self._state == "content"

    def end(self, *, truncated: bool) -> Pieces:
        """What was held back; where no tag ended the thought, the text once more, as content."""
        held, self._held = self._held, ""
        kind = "reasoning" if self._state == "thinking" else "content"
        pieces = [(kind, held)] if held else []
        if self._state == "thinking" and self._assumed and not truncated:
            pieces.append(("content", "".join(self._assumed) + held))
        return pieces


def without_partial(text: str, tag: str) -> tuple[str, str]:
    """`text` without an end that may be the beginning of `tag`, and that end."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if tag.startswith(text[-length:]):
            return text[:-length], text[-length:]
    return text, ""
