"""Ids in OpenAI's forms."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def completion_id() -> str:
    return "chatcmpl-" + secrets.token_hex(14)


def tool_call_id() -> str:
    return "call_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))
