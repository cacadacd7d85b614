"""Messages and headers of other packages' failures, where they depend on the failure itself.

Upstream's message is quoted only where it is about the caller's own request, and without our
secrets.
"""

import math
import re
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings

from catalog import errors as catalog
from openai_api.served import SERVED
from workers_ai.errors import ContextTooLong

# Stands for the field that holds an endpoint's text, which each endpoint names otherwise.
PROMPT = "(prompt)"


def retry_after(error: Exception) -> dict[str, str]:
    seconds = getattr(error, "retry_after_s", None)
    return {"retry-after": str(max(1, math.ceil(1 if seconds is None else seconds)))}


def retry_after_if_named(error: Exception) -> dict[str, str]:
    """When to come back, where upstream said so."""
    return {} if getattr(error, "retry_after_s", None) is None else retry_after(error)


def until_midnight(error: Exception) -> dict[str, str]:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "retry-after": str(math.ceil((midnight - now).total_seconds())),
        "x-should-retry": "false",
    }


def until_reset(error: Exception) -> dict[str, str]:
    headers = {"x-should-retry": "false"}
    reset_at = getattr(error, "reset_at", None)
    if reset_at is not None:
        headers["retry-after"] = str(max(1, math.ceil(reset_at - time.time())))
    return headers


def upstream_text(error: Exception) -> str:
    """Upstream's message without our secrets, which it might repeat."""
    text = str(getattr(error, "message", error))
    for secret in settings.CLOUDFLARE_SECRETS:
        if secret:
            text = text.replace(secret, "[hidden]")
    return text


def own_words(error: Exception) -> str:
    """The message of what the gateway itself says in upstream's place."""
    return str(getattr(error, "message", error))


def quoted(error: Exception) -> str:
    return f"Workers AI refused the request: {upstream_text(error)}"


def context_text(error: Exception) -> str:
    """Upstream's message about a prompt that is too long, as OpenAI's sentence, from which clients
    read numbers; upstream's own words where it names no numbers.
    """
    assert isinstance(error, ContextTooLong)
    tokens = error.tokens
    if tokens.window is None or (tokens.asked is None and tokens.prompt is None):
        message = upstream_text(error)
        if message.startswith("This model's maximum context length"):
            return message
        return f"This model's maximum context length is exceeded: {message}"
    prompt, output, total = tokens.prompt, tokens.output, tokens.asked
    if prompt is not None:
        # Of the three numbers two tell the third.
        total = prompt + output if total is None and output is not None else total
        output = total - prompt if output is None and total is not None else output
    if total is None:
        asked, reduce = f"your messages resulted in {prompt} tokens", "messages"
        if prompt is not None and prompt <= tokens.window:
            asked += f", which leaves {tokens.window - prompt} of them for the completion"
            reduce = "messages or completion"
    else:
        parts = (
            f" ({prompt} in the messages, {output} in the completion)"
            if prompt is not None and output is not None
            else ", the completion's limit included"
        )
        asked, reduce = f"you requested {total} tokens{parts}", "messages or completion"
    return (
        f"This model's maximum context length is {tokens.window} tokens. However, {asked}. "
        f"Please reduce the length of the {reduce}."
    )


def spend_limit_text(error: Exception) -> str:
    return f"A spend limit of this gateway's Cloudflare account is reached: {upstream_text(error)}"


def policy_text(error: Exception) -> str:
    return (
        f"A policy of the operator's Cloudflare AI Gateway denies this request: "
        f"{upstream_text(error)}"
    )


def final(error: Exception) -> dict[str, str]:
    """Headers for a failure that no retry helps, or only one after the time that upstream names."""
    headers = {"x-should-retry": "false"}
    if getattr(error, "retry_after_s", None) is not None:
        headers |= retry_after(error)
    return headers


# JSON pointers in upstream's messages, such as "Type mismatch of '/messages/0/content'".
_POINTER = re.compile(r"'/(\w{1,60})")
_TEXT_FIELDS = frozenset({"prompt", "text", "texts", "input", "inputs", "query", "contexts"})
_LONG_TEXT = re.compile(r"\binput (?:text|prompt)\b", re.IGNORECASE)


def field_named(error: Exception) -> str:
    """The field that upstream's message is about; `PROMPT` for the endpoint's text, or empty."""
    message = upstream_text(error)
    pointer = _POINTER.search(message)
    if pointer is not None:
        return PROMPT if pointer[1] in _TEXT_FIELDS else pointer[1]
    return PROMPT if _LONG_TEXT.search(message) else ""


def wrong_endpoint_text(error: Exception) -> str:
    assert isinstance(error, catalog.WrongEndpoint)
    served = [SERVED[name] for name in error.served_by if name in SERVED]
    where = " or ".join(f"POST {endpoint.path}" for endpoint in served)
    return f"The model `{catalog.shown(error.name)}` cannot be used with this endpoint: " + (
        f"use {where}." if where else "no endpoint of this gateway serves it."
    )


def needs_image_text(error: Exception) -> str:
    return f"{error} Use POST {SERVED['image_edits'].path}."


def kind_of_limit(error: Exception) -> str:
    noun = getattr(error, "noun", "")
    return "tokens" if noun.startswith("tokens") else "requests"
