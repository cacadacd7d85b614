"""What `POST /v1/embeddings` accepts: OpenAI's fields, and Workers AI's `pooling`. Pure.

Comes in: the parsed body. Goes out: an EmbeddingsRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.wire.declared import Choice, FilledText, Text, Texts, WholeNumber

MOST_TEXTS = 2048
LANGCHAIN = " (In LangChain, set check_embedding_ctx_length=False.)"


class Fields:
    model = FilledText(examples=["@cf/baai/bge-m3"])
    input = Texts(
        "Tokens are not taken.",
        most=MOST_TEXTS,
        of_tokens=LANGCHAIN,
        examples=["A cat.", ["a", "b"]],
    )
    dimensions = WholeNumber(1, about="Where the model's vectors can be shortened.")
    encoding_format = Choice(("float", "base64"))
    pooling = Text("Of Workers AI's bge models: `cls` or `mean`.", examples=["cls"])
    user = Text()


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
        model=Fields.model(body),
        texts=Fields.input(body),
        dimensions=Fields.dimensions(body),
        as_base64=Fields.encoding_format(body) == "base64",
        pooling=Fields.pooling(body),
        user=Fields.user(body) or "",
    )
