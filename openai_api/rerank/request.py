"""What `POST /v1/rerank` accepts: the fields that Cohere and Jina have in common. Pure.

Comes in: the parsed body. Goes out: a RerankRequest. Raises BadRequest naming the `param`. OpenAI
has no such endpoint; the names are those that other gateways and their clients use.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.wire.declared import Boolean, FilledArray, FilledText, Text, WholeNumber
from openai_api.wire.fields import missing, not_empty, wrong_type, wrong_value

MOST_DOCUMENTS = 1000


_TEXT = {"type": "string", "minLength": 1}


class Fields:
    model = FilledText(examples=["@cf/baai/bge-reranker-base"])
    query = FilledText(examples=["a pet"])
    documents = FilledArray(
        "document",
        "Texts, or objects with a `text`.",
        narrowed={
            "maxItems": MOST_DOCUMENTS,
            "items": {
                "anyOf": [
                    _TEXT,
                    {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]},
                ]
            },
        },
        examples=[["a cat", "a car"], [{"text": "a cat"}]],
    )
    top_n = WholeNumber(1)
    top_k = WholeNumber(1, about="Voyage's name of `top_n`.")
    return_documents = Boolean()
    user = Text()


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """`documents` are as the client sent them, `texts` what is read of each."""

    model: str
    query: str
    documents: tuple[str | dict[str, Any], ...]
    texts: tuple[str, ...]
    top_n: int
    return_documents: bool = False
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any]) -> RerankRequest:
    """The request in `body`; raises BadRequest."""
    model = Fields.model(body)
    query = Fields.query(body)
    documents = _documents(body)
    top_n, top_k = Fields.top_n(body), Fields.top_k(body)
    return RerankRequest(
        model=model,
        query=query,
        documents=tuple(documents),
        texts=tuple(_text(one, f"documents[{n}]") for n, one in enumerate(documents)),
        top_n=min(top_n or top_k or len(documents), len(documents)),
        return_documents=bool(Fields.return_documents(body)),
        user=Fields.user(body) or "",
    )


def _documents(body: dict[str, Any]) -> list[Any]:
    documents = Fields.documents(body)
    if len(documents) > MOST_DOCUMENTS:
        raise wrong_value("documents", f"at most {MOST_DOCUMENTS} documents", len(documents))
    return documents


def _text(document: Any, at: str) -> str:
    """A document is its text, or an object with a field of that name."""
    if isinstance(document, dict):
        at = f"{at}.text"
        document = document.get("text")
        if document is None:
            raise missing(at)
        if not isinstance(document, str):
            raise wrong_type(at, "a string", document)
    elif not isinstance(document, str):
        raise wrong_type(at, "a string or an object with 'text'", document)
    return not_empty(document, at)
