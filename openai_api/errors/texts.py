"""Messages and headers that a failure of another package gets: those that depend on the failure.

Upstream's text is quoted only where it is about the caller's own request, and without our secrets.
"""

import math
import re
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings

from catalog import errors as catalog
from openai_api.served import SERVED


def retry_after(error: Exception) -> dict[str, str]:
    seconds = getattr(error, "retry_after_s", None)
    return {"retry-after": str(max(1, math.ceil(1 if seconds is None else seconds)))}


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
    """Upstream's words, which may repeat what it was called with, without our secrets."""
    text = str(getattr(error, "message", error))
    for secret in (settings.CLOUDFLARE_API_TOKEN, settings.CLOUDFLARE_ACCOUNT_ID):
        if secret:
            text = text.replace(secret, "[hidden]")
    return text


def quoted(error: Exception) -> str:
    return f"Workers AI refused the request: {upstream_text(error)}"


_TWO_NUMBERS = re.compile(r"\((\d+)\)\D*\((\d+)\)")


def context_text(error: Exception) -> str:
    """Upstream's words for a prompt that is too long, in OpenAI's."""
    message = upstream_text(error)
    found = _TWO_NUMBERS.search(message)
    if found is None:
        return f"This model's maximum context length is exceeded: {message}"
    return (
        f"This model's maximum context length is {found[2]} tokens. However, you requested "
        f"{found[1]} tokens, the completion's limit included. "
        "Please reduce the length of the messages or completion."
    )


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
