"""One value as a cell of a CSV file that people open in a spreadsheet. Pure.

A spreadsheet runs a cell that begins like a formula, and callers choose some of these texts. Such
a beginning gets an apostrophe, which makes it text. What the eye does not see before it does not
count, and neither does its width. A sheet that splits lines at semicolons or tabs, or at a line
break in a cell whose quotes it overlooks, makes cells of what is one here: there it is the same.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import json
import re
from typing import Any, Final

# Each with its wide, small, raised and lowered forms, which a spreadsheet may take for the plain.
_FORMULA: Final = (
    r"=\uff1d\ufe66\u207c\u208c"
    r"+\uff0b\ufe62\u207a\u208a"
    r"\-\uff0d\ufe63\u207b\u208b\u2212"
    r"@\uff20\ufe6b"
)
_SEPARATORS: Final = r";\uff1b\ufe54\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029"
# Blanks, controls, characters without a width, fillers and quotes.
_UNSEEN: Final = (
    r'\x00-\x20"\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f'
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uff02\uffa0\ufff0-\ufffb"
    r"\U000e0000-\U000e0fff"
)
# Takes a run of unseen characters whole, whatever follows, so that no text costs more than one look
# at each of its characters.
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
    # Where a sheet takes such a character off, what comes next is anybody's guess.
    return f"'{marked}" if marked[:1] in ("\t", "\r", "\n") else marked


def _marked(found: re.Match[str]) -> str:
    before, formula = found["before"], found["formula"]
    if not formula:
        return before
    if found.start() > 0:
        return f"{before}'{formula}"
    # The cell's own beginning, and after what may split it once more.
    return f"'{before}'{formula}" if _SPLITS.search(before) else f"'{before}{formula}"
