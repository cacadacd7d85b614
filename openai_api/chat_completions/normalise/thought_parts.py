"""Thoughts among the parts of a message's content, as servers give them that copy other dialects.
Pure.
"""

from typing import Any, Final

# Type of a part → the field that holds its thought.
_HOLDS: Final = {"thinking": "thinking", "reasoning": "reasoning", "reasoning_text": "text"}


def without_thoughts(parts: list[Any]) -> tuple[str, list[Any]]:
    """(the thoughts, the other parts)"""
    thoughts, others = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind in _HOLDS:
            thoughts.append(_text(part.get(_HOLDS[kind], part.get("text"))))
        else:
            others.append(part)
    return "".join(thoughts), others


def _text(thought: Any) -> str:
    """A thought: a text, or parts that have one each."""
    if isinstance(thought, str):
        return thought
    parts = thought if isinstance(thought, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))
