"""What `POST /v1/moderations` accepts: a text, several, or the parts of one. Pure.

Comes in: the parsed body. Goes out: a ModerationRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.fields import empty_array, missing, not_empty, wrong_type, wrong_value

# OpenAI's default model, which its clients do not send.
DEFAULT_MODEL = "omni-moderation-latest"
# Each text is one upstream call.
MOST_TEXTS = 100


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    model: str
    texts: tuple[str, ...]
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any]) -> ModerationRequest:
    """The request in `body`; raises BadRequest."""
    return ModerationRequest(
        model=fields.text(body, "model") or DEFAULT_MODEL,
        texts=_texts(body.get("input")),
        user=fields.text(body, "user") or "",
    )


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        raise missing("input")
    if isinstance(value, str):
        return (not_empty(value, "input"),)
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array", value)
    if not value:
        raise empty_array("input", "string or part")
    if len(value) > MOST_TEXTS:
        raise wrong_value("input", f"at most {MOST_TEXTS} strings", len(value))
    if isinstance(value[0], dict):
        parts = [_part(part, f"input[{position}]") for position, part in enumerate(value)]
        return ("\n".join(parts),)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise wrong_type(f"input[{position}]", "a string", item)
    return tuple(not_empty(item, f"input[{n}]") for n, item in enumerate(value))


def _part(part: Any, at: str) -> str:
    """The text of a part; all parts of a request are judged together."""
    if not isinstance(part, dict):
        raise wrong_type(at, "an object", part)
    kind = part.get("type")
    if kind == "image_url":
        raise BadRequest(
            "The moderation models here judge texts only: leave images out.",
            param=at,
            code="unsupported_content",
        )
    if kind != "text":
        raise wrong_value(f"{at}.type", "'text'", kind)
    text = part.get("text")
    if not isinstance(text, str):
        raise wrong_type(f"{at}.text", "a string", text)
    return not_empty(text, f"{at}.text")
