"""The model that suits a coding agent: the largest that calls tools, out of those a key may use."""

from collections.abc import Callable

from catalog.models import OPEN, CatalogModel


def agent_model(allows: Callable[[str], bool]) -> tuple[str, int] | None:
    """Its name and its window in tokens; None where no model suits. `allows` says of a name whether
    the key may use it.

    Of equal windows the one with the dearer answers is the larger model. Reads the table, as pages
    do, and not the copy in memory, which processes that serve no requests do not have.
    """
    rows = CatalogModel.objects.filter(
        enabled=True, retired_at=None, access=OPEN, planned_deprecation_date=None
    )
    sizes = [_size(row) for row in rows if row.context_window and allows(row.name)]
    window, _, name = max((size for size in sizes if size), default=(0, 0, ""))
    return (name, window) if name else None


def _size(row: CatalogModel) -> tuple[int, int, str] | None:
    classified = row.classified
    chat = classified.chat
    if "chat" not in classified.endpoints or chat is None or not chat.tools:
        return None
    return row.context_window or 0, row.effective_prices.amounts.get("output_tokens", 0), row.name
