"""A model's terms, accepted once for the account by an operator.

Source: Cloudflare's documentation of error 5016: one request to the model whose prompt is `agree`.
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

from asgiref.sync import async_to_sync

from catalog import access
from catalog.entry import properties_of
from catalog.models import CatalogModel
from workers_ai import configured
from workers_ai.accounts import SeveralAccounts
from workers_ai.caller import Caller
from workers_ai.errors import LicenceNotAccepted

OPERATOR: Final = Caller("operator")
_THANKS = re.compile(r"thank you for agreeing|you may now use", re.IGNORECASE)


class Upstream(Protocol):
    async def run(self, model: str, payload: bytes, *, caller: Caller) -> object: ...

    async def aclose(self) -> None: ...


def terms_of(model: CatalogModel) -> str:
    """Where the terms can be read, as the catalog tells; empty where it does not."""
    properties = properties_of(model.entry)
    for name in ("terms", "info"):
        link = properties.get(name)
        if isinstance(link, str) and link.startswith("https://"):
            return link
    return ""


def accept(model: CatalogModel, connect: Callable[[], Upstream] | None = None) -> None:
    """Accepts the terms for the account; raises `WorkersAIError` where Cloudflare does not take it.

    For a thread without an event loop. `connect` is called inside the loop of the client.
    """
    async_to_sync(_agree)(model.name, connect or configured.client_from_settings)
    access.clear(model.name)


async def _agree(name: str, connect: Callable[[], Upstream]) -> None:
    client = connect()
    try:
        for each in client.each() if isinstance(client, SeveralAccounts) else [client]:
            await _agree_with(each, name)
    finally:
        await client.aclose()


async def _agree_with(client: Upstream, name: str) -> None:
    try:
        await client.run(name, b'{"prompt":"agree"}', caller=OPERATOR)
    except LicenceNotAccepted as error:
        # Some models thank with the very code of their refusal.
        if not _THANKS.search(error.message):
            raise
