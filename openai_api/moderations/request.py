"""What `POST /v1/moderations` accepts: a text, several, or the parts of one. Pure.

Comes in: the parsed body. Goes out: a ModerationRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.wire.declared import Described, Text
from openai_api.wire.fields import empty_array, missing, not_empty, wrong_type, wrong_value

# OpenAI's default model, which its clients do not send.
DEFAULT_MODEL = "omni-moderation-latest"
# Each text is one upstream call.
MOST_TEXTS = 100


_TEXT = {"type": "string", "minLength": 1}
_PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": _TEXT},
    "required": ["type", "text"],
}


class Fields:
    model = Text("Left out: the first one that judges texts.", examples=[DEFAULT_MODEL])
    input = Described(
        {
            "anyOf": [
                _TEXT,
                *(
                    {"type": "array", "items": items, "minItems": 1, "maxItems": MOST_TEXTS}
                    for items in (_TEXT, _PART)
                ),
            ]
        },
        "A text, several, or the parts of one. Pictures are not judged.",
        required=True,
        examples=["Hello.", ["One.", "Two."], [{"type": "text", "text": "Hello."}]],
    )
    user = Text()


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    model: str
    texts: tuple[str, ...]
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any]) -> ModerationRequest:
    """The request in `body`; raises BadRequest."""
    return ModerationRequest(
        model=Fields.model(body) or DEFAULT_MODEL,
        texts=_texts(body.get("input")),
        user=Fields.user(body) or "",
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
