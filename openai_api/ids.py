"""Ids in OpenAI's forms. They name things and guard nothing, so they need no secret randomness,
which every request would wait for.
"""

import random
import string

_ALPHABET = string.ascii_letters + string.digits


def completion_id() -> str:
    return f"chatcmpl-{random.getrandbits(112):028x}"


def tool_call_id() -> str:
    return "call_" + "".join(random.choices(_ALPHABET, k=24))


def moderation_id() -> str:
    return f"modr-{random.getrandbits(112):028x}"


def rerank_id() -> str:
    return f"rerank-{random.getrandbits(112):028x}"
