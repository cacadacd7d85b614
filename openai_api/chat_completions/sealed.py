"""Thoughts in the opaque form of `encrypted_content`, which clients send back as it is. Pure.

Nothing is secret in it: the thought beside it is the same. OpenAI's own is opaque because it hides
the thought; here it carries a thought through clients that keep nothing else of a reasoning item.
"""

import base64
import binascii
from typing import Any, Final

# Says who made the text, and in which way: others' texts cannot be read and are left alone.
MARK: Final = "wai1."


def sealed(thought: str) -> str:
    return MARK + base64.urlsafe_b64encode(thought.encode("utf-8", "replace")).decode()


def opened(text: Any) -> str:
    """The thought in a text that `sealed` made; empty for any other."""
    if not isinstance(text, str) or not text.startswith(MARK):
        return ""
    try:
        data = base64.b64decode(text[len(MARK) :], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return data.decode("utf-8", "replace")
