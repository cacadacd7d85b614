"""One value as a cell of a CSV file that people open in a spreadsheet. Pure.

A spreadsheet executes a cell that begins like a formula, and callers choose some of these texts. An
apostrophe before the formula makes the cell text. Invisible characters before it are skipped, and
full-width forms of its characters count as well. Some spreadsheets also split a cell at a
semicolon, a tab or a line break, so the text after each of those counts as the beginning of a cell.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import json
import re
from typing import Any, Final

# Each with its full-width, small, superscript and subscript forms, which a spreadsheet may accept.
_FORMULA: Final = (
    r"=\uff1d\ufe66\u207c\u208c"
    r"+\uff0b\ufe62\u207a\u208a"
    r"\-\uff0d\ufe63\u207b\u208b\u2212"
    r"@\uff20\ufe6b"
)
_SEPARATORS: Final = r";\uff1b\ufe54\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029"
# White space, control characters, characters without a width, fillers and quotes.
_UNSEEN: Final = (
    r'\x00-\x20"\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f'
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uff02\uffa0\ufff0-\ufffb"
    r"\U000e0000-\U000e0fff"
)
# Matches a run of unseen characters as a whole, whatever follows, so the time is linear in the
# length of the text.
_BEGINNING: Final = re.compile(
    rf"(?P<before>(?:^|[{_SEPARATORS}])[{_SEPARATORS}{_UNSEEN}]*)(?P<formula>[{_FORMULA}]?)"
)
_SPLITS: Final = re.compile(rf"[{_SEPARATORS}]")


def cell(value: Any) -> str:
    """None is empty, a list or an object is JSON, and no text begins like a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list):
        return defused(json.dumps(value, ensure_ascii=False))
    return defused(str(value))


def defused(text: str) -> str:
    marked = _BEGINNING.sub(_marked, text)
    # A spreadsheet may remove such a first character, so whatever follows it is made text too.
    return f"'{marked}" if marked[:1] in ("\t", "\r", "\n") else marked


def _marked(found: re.Match[str]) -> str:
    before, formula = found["before"], found["formula"]
    if not formula:
        return before
    if found.start() > 0:
        return f"{before}'{formula}"
    # At the beginning of the cell, and once more where a separator may split the cell before it.
    return f"'{before}'{formula}" if _SPLITS.search(before) else f"'{before}{formula}"
