"""A member's requests: one page of the log, or one request for the playground."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keys import shown
from keys.amounts import neurons_text, usd_text
from keys.log.walk import Position, Sought, Walk
from keys.models import RequestLog

PAGE_ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class ShownRequest:
    row: RequestLog

    @property
    def tokens(self) -> str:
        counts = (self.row.prompt_tokens, self.row.completion_tokens)
        if counts == (None, None):
            return ""
        return " / ".join("?" if count is None else f"{count:,}" for count in counts)

    @property
    def cost(self) -> str:
        return "" if self.row.cost_nano_usd is None else shown.usd(self.row.cost_nano_usd)

    @property
    def duration(self) -> str:
        return shown.seconds(self.row.duration_ms)

    @property
    def failed(self) -> bool:
        return self.row.status >= 400

    @property
    def reason(self) -> str:
        """Why the request failed; empty if it did not."""
        if self.row.error_message or self.row.error_code:
            return self.row.error_message or self.row.error_code
        return _END_WORDS.get(self.row.end_reason, "") if self.failed else ""


_END_WORDS: Final = {"client_gone": "The client disconnected before the answer was whole."}


@dataclass(frozen=True, slots=True)
class RequestPage:
    requests: list[ShownRequest]
    # Where the next page of older requests begins; None on the last page.
    older: str | None
    # How far the search went, if it took too long to fill the page.
    searched_to: datetime | None = None


def request_page(
    owner_id: int, *, key_id: int | None = None, failed: bool = False, before: str = ""
) -> RequestPage:
    """Newest first. `before` is `older` of the previous page, so each page costs as much as the
    first; an invalid `before` gives the first page."""
    equal = {"owner_id": owner_id} if key_id is None else {"owner_id": owner_id, "key_id": key_id}
    walk = Walk(Sought(equal=equal, failed=failed), Position.parse(before))
    found, older = walk.page(PAGE_ROWS)
    return RequestPage(
        [ShownRequest(row) for row in found],
        None if older is None else str(older),
        older.started_at if older is not None and len(found) < PAGE_ROWS else None,
    )


def own_request(owner_id: int, request_id: str) -> RequestLog | None:
    """The newest request with this id, since a client may use an id twice."""
    rows = RequestLog.objects.filter(request_id=request_id, owner_id=owner_id)
    return rows.order_by("-id").first()


def request_as_json(row: RequestLog) -> dict[str, Any]:
    """What the playground shows of an answer. Amounts are exact decimal strings, unknown is
    null."""
    return {
        "request_id": row.request_id,
        "model": row.model,
        "status": row.status,
        "end_reason": row.end_reason,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cached_tokens": row.cached_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "images": row.images,
        "cost_usd": None if row.cost_nano_usd is None else usd_text(row.cost_nano_usd),
        "cost_shown": None if row.cost_nano_usd is None else shown.usd(row.cost_nano_usd),
        "neurons": None if row.neurons_micro is None else neurons_text(row.neurons_micro),
        "neurons_shown": None if row.neurons_micro is None else shown.neurons(row.neurons_micro),
        "usage_source": row.usage_source,
        "ttft_ms": row.ttft_ms,
        "duration_ms": row.duration_ms,
    }
