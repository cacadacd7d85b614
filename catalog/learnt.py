"""What models' refusals taught this process, beyond what the catalog says. In memory only.

A habit is a form that a model's server insists on, such as one tool call a turn; it is learnt from
the refusal that names it, and from then on requests go out in that form at once. A ceiling is a
limit that upstream named and that is lower than the catalog's. Both last until the process ends:
a model that is mended upstream is found so after a restart.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from catalog.snapshot import ModelRecord

MODELS_KEPT: Final = 2_000
LONGEST_SOURCE: Final = 300


@dataclass(frozen=True, slots=True)
class Lesson:
    """Upstream's words that taught it, and when (epoch seconds)."""

    source: str
    learnt_at: float

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.learnt_at, UTC)


@dataclass(slots=True)
class Learnt:
    """Of one model. Ceilings are tokens, unless they say otherwise."""

    habits: dict[str, Lesson] = field(default_factory=dict)
    context_window: int | None = None
    most_output: int | None = None
    # Of all texts in one run of an embedding model.
    batch_tokens: int | None = None
    # Characters that a model speaks at once.
    characters: int | None = None
    ceilings: dict[str, Lesson] = field(default_factory=dict)


NOTHING: Final = Learnt()
_learnt: dict[str, Learnt] = {}
_ceilings = 0


def of(model: str) -> Learnt:
    """What is known of a model; never to be changed by the caller."""
    return _learnt.get(model, NOTHING)


def everything() -> Mapping[str, Learnt]:
    return _learnt


def window_of(record: ModelRecord) -> int | None:
    """The context window in tokens: the catalog's, or a smaller one that upstream named."""
    named = of(record.name).context_window
    return named if named is not None else record.context_window


def most_output_of(record: ModelRecord) -> int | None:
    """The highest output limit in tokens, where the catalog or upstream names one."""
    named = of(record.name).most_output
    if named is not None:
        return named
    return record.chat.max_output_tokens if record.chat is not None else None


# What each habit and ceiling says to an operator.
WORDS: Final = {
    "schema_in_envelope": "JSON schemas go in OpenAI's envelope, with a name",
    "bare_schema": "JSON schemas go without OpenAI's envelope",
    "schema_for_json_object": "JSON mode goes as the schema of any object",
    "schema_without_stream": "Answers in JSON come whole, not streamed",
    "system_message_first": "One system message at the beginning; later ones are the user's",
    "no_system_message": "No system message: its text goes with the first message",
    "one_call_a_turn": "One tool call a turn",
    "call_ids_of_nine": "Ids of tool calls are nine letters and digits",
    "other_limit_field": "The output limit goes by its other name",
    "alternating_turns": "Neighbouring messages of one role are joined",
    "context_window": "Context window of {tokens:,} tokens",
    "most_output": "At most {tokens:,} tokens of output",
    "batch_tokens": "At most {tokens:,} tokens in one run",
    "characters": "At most {tokens:,} characters are spoken at once",
}


def lessons_of(model: str) -> list[tuple[str, Lesson]]:
    """What this process learnt of a model, in words, each with its source; the oldest first."""
    known = of(model)
    told = [(WORDS.get(name, name), lesson) for name, lesson in known.habits.items()]
    told += [
        (WORDS[name].format(tokens=getattr(known, name)), lesson)
        for name, lesson in known.ceilings.items()
    ]
    return sorted(told, key=lambda one: one[1].learnt_at)


def habit(model: str, name: str, source: str) -> bool:
    """Notes a habit; whether it is new."""
    known = _known(model)
    if name in known.habits:
        return False
    known.habits[name] = _lesson(source)
    return True


def context_window(model: str, tokens: int, source: str, *, listed: int | None) -> None:
    """Notes the window that upstream named, where it is smaller than the one known so far."""
    known = _known(model)
    smallest = min((value for value in (known.context_window, listed) if value), default=None)
    if smallest is None or tokens < smallest:
        known.context_window = tokens
        _note_ceiling(known, "context_window", source)


def most_output(model: str, tokens: int, source: str) -> None:
    """Notes the highest output limit that upstream named, where it is lower than before."""
    known = _known(model)
    if known.most_output is None or tokens < known.most_output:
        known.most_output = tokens
        _note_ceiling(known, "most_output", source)


def batch_tokens(model: str, tokens: int, source: str) -> None:
    """Notes how many tokens the texts of one run may have, where upstream named fewer."""
    known = _known(model)
    if known.batch_tokens is None or tokens < known.batch_tokens:
        known.batch_tokens = tokens
        _note_ceiling(known, "batch_tokens", source)


def characters(model: str, count: int, source: str) -> None:
    """Notes how many characters a model speaks at once, where upstream named fewer."""
    known = _known(model)
    if known.characters is None or count < known.characters:
        known.characters = count
        _note_ceiling(known, "characters", source)


def ceilings_known() -> int:
    """Grows with every ceiling that is learnt: what was made of older ones is out of date."""
    return _ceilings


def forget() -> None:
    _learnt.clear()


def _known(model: str) -> Learnt:
    known = _learnt.get(model)
    if known is None:
        if len(_learnt) >= MODELS_KEPT:
            _learnt.clear()
        known = _learnt[model] = Learnt()
    return known


def _note_ceiling(known: Learnt, name: str, source: str) -> None:
    global _ceilings
    _ceilings += 1
    known.ceilings[name] = _lesson(source)


def _lesson(source: str) -> Lesson:
    return Lesson(source[:LONGEST_SOURCE], time.time())
