"""Decisions that a test wrote into the prompt, for the model to carry out turn by turn. Pure.

    [decide [{"read_file": {"path": "a.py"}}, {"edit": {…}, "run": {…}}, "Done."]]

is one JSON list in a user's message: each entry is what the model does in one turn, a text to say
or the tools to call with their arguments. How far it is, the conversation itself tells, so that
programs that run side by side, each with decisions of its own, do not disturb each other. It goes
through any program that passes its user's words on as they are.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

OPENING = "[decide "
_READER = json.JSONDecoder()


@dataclass(frozen=True)
class Turn:
    """One message of the conversation so far; `calls` is how many tools it calls."""

    role: str
    text: str
    calls: int = 0


@dataclass(frozen=True)
class Decision:
    """What the model does in a turn: it says a text, or calls tools with arguments."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


def is_decided(turns: Iterable[Turn]) -> bool:
    """Whether a user wrote decisions; then no tool is called but by them."""
    return any(turn.role == "user" and OPENING in turn.text for turn in turns)


def decision(turns: list[Turn], offered: set[str]) -> Decision | None:
    """What is to be done now. None where all is done, and for a question beside the conversation,
    such as for its title, which does not offer the tools."""
    for index in range(len(turns) - 1, -1, -1):
        if is_decided(turns[index : index + 1]):
            steps = _steps(turns[index].text)
            break
    else:
        return None
    left = _left(steps, turns[index + 1 :])
    beside = not offered and any(step.calls for step in steps)
    if not left or beside or not {name for name, _ in left[0].calls} <= offered:
        return None
    return left[0]


def _steps(text: str) -> list[Decision]:
    """The list behind the last opening; empty when it is none."""
    try:
        given, _ = _READER.raw_decode(text.rpartition(OPENING)[2].lstrip())
    except json.JSONDecodeError:
        return []
    return [_step(one) for one in given] if isinstance(given, list) else []


def _step(one: Any) -> Decision:
    if isinstance(one, dict):
        return Decision(calls=tuple((name, dict(given)) for name, given in one.items()))
    return Decision(text=str(one))


def _left(steps: list[Decision], turns: list[Turn]) -> list[Decision]:
    """The steps that are not done. Some programs tell the calls of one turn as several turns."""
    done, called = 0, 0
    for turn in turns:
        if turn.role != "assistant" or done >= len(steps):
            continue
        called += turn.calls
        if called >= len(steps[done].calls):
            done, called = done + 1, 0
    return steps[done:]
