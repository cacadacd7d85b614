"""What a chat's messages hold besides text, made ready for the model: pictures named by URL are
fetched, documents are read into the prompt.

Done once the request is admitted and paid for. A document that the user sent and that cannot be
read refuses the request; one that a tool gave is told about in words, since an agent sends its
history with each request and must be able to go on.
"""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, Final

from openai_api.chat_completions.documents import read_document
from openai_api.chat_completions.picture_fetch import Fetch
from openai_api.chat_completions.pictures import NamedPart, fetching, inline_parts
from openai_api.chat_completions.request import ChatRequest, become_text, have_parts
from openai_api.chat_completions.translate.documents import LONGEST_NAME_SHOWN, is_unread
from openai_api.errors import ApiError, BadRequest, api_error
from openai_api.exchange import Exchange
from openai_api.runs import side_by_side
from workers_ai.errors import WorkersAIError

MOST_DOCUMENTS: Final = 16


def read_of_chat(exchange: Exchange, asked: ChatRequest) -> Awaitable[bool] | None:
    """What OpenAI's own dialect holds; None where nothing has to be read."""
    if not have_parts(asked.messages):
        return None
    named = [
        (part, f"messages[{m}].content[{p}].{_DATA_OF[part['type']]}")
        for m, message in enumerate(asked.messages)
        if isinstance(message.get("content"), list)
        for p, part in enumerate(message["content"])
        if part.get("type") in _DATA_OF
    ]
    return read_attachments(exchange, asked, named) if named else None


_DATA_OF: Final = {"image_url": "image_url.url", "file": "file.file_data"}


async def read_attachments(
    exchange: Exchange, asked: ChatRequest, named: Sequence[NamedPart]
) -> bool:
    """Replaces, in `asked`, URLs of pictures and documents by what they hold; False where there was
    none. `named` are the parts of `asked` under the caller's names. Raises ApiError,
    WorkersAIError.
    """
    of_tools = {
        id(part)
        for message in asked.messages
        if message["role"] in ("tool", "function") and isinstance(message.get("content"), list)
        for part in message["content"]
    }
    has_pictures = await inline_parts(exchange, named, of_tools)
    documents = [(part, name) for part, name in named if is_unread(part)]
    if not documents:
        return has_pictures
    older, last = documents[:-MOST_DOCUMENTS], documents[-MOST_DOCUMENTS:]
    for part, name in older:
        if id(part) not in of_tools:
            raise BadRequest(
                f"At most {MOST_DOCUMENTS} documents of a request are read.", param=name
            )
        become_text(part, _said(part, "it is not among the newest ones, which are read"))
    async with fetching(exchange) as fetch:
        texts = await side_by_side(
            partial(_text_of, exchange, part, name, fetch, may_fail=id(part) in of_tools)
            for part, name in last
        )
    for (part, _), text in zip(last, texts, strict=True):
        become_text(part, text)
    return True


async def _text_of(
    exchange: Exchange, part: dict[str, Any], name: str, fetch: Fetch, *, may_fail: bool
) -> str:
    try:
        return await read_document(exchange, part, name, fetch)
    except (ApiError, WorkersAIError) as error:
        if not may_fail:
            raise
        return _said(part, f"it could not be read. {api_error(error).message}")


def _said(part: dict[str, Any], why: str) -> str:
    name = part["file"].get("filename")
    called = f" {name[:LONGEST_NAME_SHOWN]}" if isinstance(name, str) and name else ""
    return f"[document{called}: {why}]"
