"""Ids in the forms of OpenAI and Anthropic. They protect nothing, so they need no secure
randomness, which would cost every request time.
"""

import random
import string

_ALPHABET = string.ascii_letters + string.digits


def completion_id() -> str:
    return f"chatcmpl-{random.getrandbits(112):028x}"


def response_id() -> str:
    return f"resp_{random.getrandbits(192):048x}"


def response_item_id(kind: str) -> str:
    """`kind` is what the id begins with, such as `msg`."""
    return f"{kind}_{random.getrandbits(192):048x}"


def message_id() -> str:
    """In Anthropic's form."""
    return "msg_01" + "".join(random.choices(_ALPHABET, k=22))


def text_completion_id() -> str:
    return f"cmpl-{random.getrandbits(112):028x}"


def tool_call_id() -> str:
    return "call_" + "".join(random.choices(_ALPHABET, k=24))


def moderation_id() -> str:
    return f"modr-{random.getrandbits(112):028x}"


def rerank_id() -> str:
    return f"rerank-{random.getrandbits(112):028x}"
