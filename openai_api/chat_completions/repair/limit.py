"""The output limit that a refusal leaves room for. Pure, but for the ceilings that it notes."""

import re
from typing import Final

from catalog import learnt
from workers_ai.errors import BadInput, ContextTooLong, LimitTooLarge

# Cloudflare's own check estimates the prompt; inference servers count it.
_ESTIMATED: Final = re.compile(r"\bestimated\b", re.IGNORECASE)
# vLLM stops counting where prompt and limit are too long together: the prompt may be even longer.
_AT_LEAST: Final = re.compile(r"\bat least\b", re.IGNORECASE)
# Tokens left free beside an exact count, and percent of the prompt where it was estimated.
SPARE_TOKENS: Final = 8
SPARE_PERCENT: Final = 2
# A smaller window is not that of a chat model.
SMALLEST_WINDOW: Final = 512


def note_ceilings(model: str, refusal: BadInput, *, listed_window: int | None) -> None:
    """Remembers the ceilings that a refusal names, where they are lower than the catalog's."""
    tokens = refusal.tokens
    if isinstance(refusal, LimitTooLarge):
        if tokens.most_output:
            learnt.most_output(model, tokens.most_output, refusal.message)
    elif isinstance(refusal, ContextTooLong) and (tokens.window or 0) >= SMALLEST_WINDOW:
        assert tokens.window is not None
        learnt.context_window(model, tokens.window, refusal.message, listed=listed_window)


def fitting_limit(refusal: BadInput, limit: int, *, may_shrink: bool, is_last: bool) -> int | None:
    """A lower limit with which the same prompt may pass; None where none is left.

    `may_shrink`: the limit is not the client's own, or its dialect lets an answer end where the
    window does. A limit that no prompt could have is always lowered: the answer is the same.
    `is_last`: there will be no other try.
    """
    tokens = refusal.tokens
    if isinstance(refusal, LimitTooLarge):
        most = tokens.most_output or tokens.window
        return most if most and most < limit else None
    if not may_shrink or not isinstance(refusal, ContextTooLong) or tokens.window is None:
        return None
    output = limit if tokens.output is None else tokens.output
    prompt = tokens.prompt
    if prompt is None:
        prompt = None if tokens.asked is None else tokens.asked - output
    if prompt is None or prompt < 0:
        return None
    room = tokens.window - prompt
    spare = SPARE_TOKENS
    if _ESTIMATED.search(refusal.message):
        spare += prompt * SPARE_PERCENT // 100
    if _AT_LEAST.search(refusal.message) and prompt <= tokens.window - output + 1:
        spare += room if is_last else room * 3 // 4
    # A prompt that fits leaves room for a word at least.
    room = max(room - spare, min(room, 1))
    return room if 1 <= room < limit else None
