"""Text of stream chunks for scenarios, spelled as upstream spells them.

They are built as text and not from objects, because some of what upstream sends (`0.50`, `3e+50`)
does not survive being parsed and encoded again.
"""

import orjson

USAGE = (
    '{"prompt_tokens":14,"completion_tokens":16,"total_tokens":30,'
    '"prompt_tokens_details":{"cached_tokens":0},"neurons":0.918}'
)
# The total usage that several backends end with, even behind /ai/v1.
TRAILING_USAGE = f'{{"response":"","usage":{USAGE}}}'
DONE = "[DONE]"


def quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def chunk(
    model: str,
    delta: str,
    finish: str = "null",
    *,
    more: str = "",
    identifier: str = "id-1788378160014",
    created: int = 1788378160,
) -> str:
    """A chunk around `delta`, which is JSON text; `finish` likewise."""
    return (
        f'{{"id":{quoted(identifier)},"created":{created},"model":{quoted(model)},'
        '"object":"chat.completion.chunk","choices":[{"index":0,"delta":'
        f'{delta},"finish_reason":{finish}}}]{more}}}'
    )


def content(model: str, *texts: str) -> list[str]:
    return [chunk(model, f'{{"content":{quoted(text)}}}') for text in texts]


def role(model: str) -> str:
    return chunk(model, '{"role":"assistant","content":""}')


def finish(model: str, reason: str = "stop") -> str:
    return chunk(model, "{}", quoted(reason))


def ending(model: str, reason: str = "stop") -> list[str]:
    """A finish, the total usage, and the end."""
    return [finish(model, reason), TRAILING_USAGE, DONE]
