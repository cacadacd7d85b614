"""What may be the name of something that people tell apart by it: what shows is all there is."""

import unicodedata
from typing import Final

from django.core.exceptions import ValidationError

# Controls, marks without a width such as those that turn the direction of writing, halves of
# characters, ends of lines.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Of other categories, and yet nothing shows of them: fillers, joiners and selectors of variants.
_UNSEEN_LETTERS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
# That of Japanese keyboards is wider than any other.
_SPACES: Final = " \u3000"
_JOINER, _AS_PICTURE = "\u200d", "\ufe0f"


def validate_name(text: str) -> None:
    """Raises ValidationError for an invisible character, and for a space that is not the usual one:
    with them two names look the same, or one reads as what it is not."""
    before = ""
    for place, character in enumerate(text, 1):
        if not _shows(character, before):
            name = unicodedata.name(character, "")
            told = f"U+{ord(character):04X}{f' ({name})' if name else ''}"
            raise ValidationError(
                "A name is one line of visible characters: take away %(told)s, at place %(place)d.",
                params={"told": told, "place": place},
            )
        before = character


def is_name(text: str) -> bool:
    try:
        validate_name(text)
    except ValidationError:
        return False
    return True


def on_one_line(text: str) -> str:
    """A text for people without what would break its line, or command a terminal."""
    pairs = zip(text, f" {text}", strict=False)
    shown = (each if _shows(each, before) else " " for each, before in pairs)
    return " ".join("".join(shown).split())


def _shows(character: str, before: str) -> bool:
    return not _is_unseen(character) or _is_of_emoji(character, before)


def _is_unseen(character: str) -> bool:
    if character.isascii():
        return not character.isprintable()
    category = unicodedata.category(character)
    if category == "Zs":
        return character not in _SPACES
    return category in _UNSEEN or character in _UNSEEN_LETTERS


def _is_of_emoji(character: str, before: str) -> bool:
    """Pictures are put together from others with a joiner, or are letters shown as pictures."""
    if character == _AS_PICTURE:
        return unicodedata.category(before or " ") in ("So", "Sm", "Sk")
    is_picture = before == _AS_PICTURE or unicodedata.category(before or " ") in ("So", "Sk")
    return character == _JOINER and is_picture
