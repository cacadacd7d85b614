"""What `POST /v1/embeddings` accepts: OpenAI's fields, and Workers AI's `pooling`. Pure.

Comes in: the parsed body. Goes out: an EmbeddingsRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.wire import fields

MOST_TEXTS = 2048
LANGCHAIN = " (In LangChain, set check_embedding_ctx_length=False.)"


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
        texts=fields.texts(body, "input", most=MOST_TEXTS, of_tokens=LANGCHAIN),
        dimensions=fields.whole_number(body, "dimensions", 1),
        as_base64=fields.choice(body, "encoding_format", ("float", "base64")) == "base64",
        pooling=fields.text(body, "pooling"),
        user=fields.text(body, "user") or "",
    )
