"""When Python looks for objects that refer to each other in circles: all others go by themselves.

Python's own habit is to look after 700 new objects. What a process imports is made once and stays,
and looking through it time and again is an eighth of a start.
"""

import gc
from typing import Final

# New objects between two looks at the youngest ones.
LOOK_AFTER: Final = 50_000


def look_seldom() -> None:
    gc.set_threshold(LOOK_AFTER)


def keep_what_exists() -> None:
    """What exists now stays for good: looking through it again would cost each request."""
    gc.freeze()
    look_seldom()
