"""Tokens of a text that upstream did not count: characters by a ratio learned from the model's
exact answers.

No tokenizer: those at hand are of other models and wrong for these. Learned per process and model,
from rows whose counts upstream reported; until then by the usual four characters a token.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

USUAL_CHARACTERS_PER_TOKEN = 4.0
# Weight of the newest answer, and the bounds of a ratio: unusual answers must not distort it.
NEWEST = 0.05
LOWEST, HIGHEST = 0.5, 12.0
SHORTEST_LEARNED_FROM = 20
MODELS_KEPT = 2000


@dataclass(slots=True)
class _Ratio:
    prompt: float = USUAL_CHARACTERS_PER_TOKEN
    completion: float = USUAL_CHARACTERS_PER_TOKEN


_ratios: dict[str, _Ratio] = {}


def learn(
    model: str,
    *,
    prompt_characters: int,
    prompt_tokens: int | None,
    completion_characters: int,
    completion_tokens: int | None,
) -> None:
    """Takes in one answer whose tokens upstream counted."""
    ratio = _ratios.get(model)
    if ratio is None:
        if len(_ratios) >= MODELS_KEPT:
            _ratios.clear()
        ratio = _ratios[model] = _Ratio()
    ratio.prompt = _moved(ratio.prompt, prompt_characters, prompt_tokens)
    ratio.completion = _moved(ratio.completion, completion_characters, completion_tokens)


def _moved(ratio: float, characters: int, tokens: int | None) -> float:
    if not tokens or characters < SHORTEST_LEARNED_FROM:
        return ratio
    seen = min(HIGHEST, max(LOWEST, characters / tokens))
    return ratio + NEWEST * (seen - ratio)


def prompt_tokens(model: str, characters: int) -> int:
    ratio = _ratios.get(model)
    return math.ceil(characters / (ratio.prompt if ratio else USUAL_CHARACTERS_PER_TOKEN))


def most_tokens(texts: Iterable[str]) -> int:
    """No tokenizer makes more tokens of a text than it has bytes."""
    return sum(
        [len(text) if text.isascii() else len(text.encode("utf-8", "replace")) for text in texts]
    )


# Punctuation and operators, which code is full of.
_DIGITS_AND_SIGNS: Final = bytes(byte for byte in range(33, 127) if not chr(byte).isalpha())
_BEYOND_ASCII: Final = bytes(range(128, 256))


def estimates(texts: Sequence[str]) -> tuple[int, int]:
    """The likely tokens of texts, and those that a tokenizer makes of them that suits them badly.

    The likely ones are those of most tokenizers, by script: one for four Latin letters, for two
    digits or signs, for one character of Chinese, Japanese or Korean, and for two bytes of others.
    The other: one for each digit and sign, and half as many again for all else. Linear, at the
    speed of C.
    """
    # Together: taking them one by one costs as much as what is counted.
    plain = "".join([text for text in texts if text.isascii()]).encode()
    mixed = "".join([text for text in texts if not text.isascii()]).encode("utf-8", "replace")
    beyond = len(mixed) - len(mixed.translate(None, _BEYOND_ASCII))
    others = sum(len(data.translate(None, _DIGITS_AND_SIGNS)) for data in (plain, mixed))
    marks = len(plain) + len(mixed) - others
    letters = others - beyond
    likely = letters // 4 + marks // 2 + beyond // 3
    return likely, letters * 2 // 5 + marks + beyond // 2


def completion_tokens(model: str, characters: int) -> int:
    ratio = _ratios.get(model)
    return math.ceil(characters / (ratio.completion if ratio else USUAL_CHARACTERS_PER_TOKEN))
