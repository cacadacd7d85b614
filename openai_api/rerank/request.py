"""What `POST /v1/rerank` accepts: the fields that Cohere and Jina have in common. Pure.

Comes in: the parsed body. Goes out: a RerankRequest. Raises BadRequest naming the `param`. OpenAI
has no such endpoint; the names are those that other gateways and their clients use.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.wire import fields
from openai_api.wire.fields import missing, not_empty, wrong_type, wrong_value

MOST_DOCUMENTS = 1000


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
    model = fields.text(body, "model", required=True) or ""
    query = fields.text(body, "query", required=True) or ""
    documents = _documents(body)
    top_n = fields.whole_number(body, "top_n", 1)
    return RerankRequest(
        model=model,
        query=query,
        documents=tuple(documents),
        texts=tuple(_text(one, f"documents[{n}]") for n, one in enumerate(documents)),
        top_n=min(top_n or len(documents), len(documents)),
        return_documents=bool(fields.boolean(body, "return_documents")),
        user=fields.text(body, "user") or "",
    )


def _documents(body: dict[str, Any]) -> list[Any]:
    documents = fields.filled_sequence(body, "documents", "document")
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
