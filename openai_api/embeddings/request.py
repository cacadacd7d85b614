"""What `POST /v1/embeddings` accepts: OpenAI's fields, and Workers AI's `pooling`. Pure.

Comes in: the parsed body. Goes out: an EmbeddingsRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api import fields
from openai_api.errors import BadRequest
from openai_api.fields import missing, wrong_type, wrong_value

MOST_TEXTS = 2048


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    as_base64: bool = False
    pooling: str | None = None
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any]) -> EmbeddingsRequest:
    """The request in `body`; raises BadRequest."""
    return EmbeddingsRequest(
        model=fields.text(body, "model", required=True) or "",
        texts=texts_of(body.get("input"), "input", most=MOST_TEXTS),
        dimensions=fields.whole_number(body, "dimensions", 1),
        as_base64=fields.choice(body, "encoding_format", ("float", "base64")) == "base64",
        pooling=fields.text(body, "pooling"),
        user=fields.text(body, "user") or "",
    )


def texts_of(value: Any, param: str, *, most: int) -> tuple[str, ...]:
    """The texts of a field that takes one or a list of them; raises BadRequest for tokens."""
    if value is None:
        raise missing(param)
    if isinstance(value, str):
        return (_not_empty(value, param),)
    if not isinstance(value, list):
        raise wrong_type(param, "a string or an array of strings", value)
    if not value:
        raise BadRequest(
            f"Invalid '{param}': empty array. Expected an array with at least one string.",
            param=param,
            code="empty_array",
        )
    if len(value) > most:
        raise wrong_value(param, f"at most {most} strings", len(value))
    return tuple(_text(item, f"{param}[{position}]", param) for position, item in enumerate(value))


def _text(item: Any, at: str, param: str) -> str:
    if isinstance(item, int | list) and not isinstance(item, bool):
        raise BadRequest(
            f"'{param}' holds tokens, but the models here have tokenizers of their own: send the "
            "text itself (in LangChain, set check_embedding_ctx_length=False).",
            param=param,
            code="tokens_not_supported",
        )
    if not isinstance(item, str):
        raise wrong_type(at, "a string", item)
    return _not_empty(item, at)


def _not_empty(text: str, at: str) -> str:
    if not text:
        raise BadRequest(f"Invalid '{at}': it is empty.", param=at, code="empty_string")
    return text
