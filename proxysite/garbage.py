"""When Python looks for objects that refer to each other in circles: all others go by themselves.

Python's own habit is to look after 700 new objects. What a process imports is made once and stays,
and looking through it time and again is an eighth of a start.
"""

import gc
from typing import Final

# More new objects than a start makes.
START: Final = 1_000_000
# New objects between two looks at the youngest ones, while a worker serves.
SERVING: Final = 50_000


def rest() -> None:
    """For the start of a process."""
    gc.set_threshold(START)


def collect_what_is_new() -> None:
    """What exists now stays for good: looking through it again would cost each request."""
    gc.freeze()
    gc.set_threshold(SERVING)
