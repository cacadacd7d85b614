"""What a member's pages show of use: bars of budgets, days, models, requests. From totals, but for
the list of requests, which reads one page of the log along an index.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from keys import shown
from keys.amounts import neurons_text, usd_text
from keys.log.walk import Position, Sought, Walk
from keys.models import Key, RequestLog
from keys.reports.budget_bars import bars
from keys.reports.usage import owner_usage, sums_by_day, usage_by_key
from keys.scopes import Limits
from theme.bars import Bar

CHART_DAYS: Final = 30
DAY_COLUMNS: Final = ("Requests", "Errors", "Tokens", "Cost")
MODEL_COLUMNS: Final = ("Requests", "Errors", "Tokens in", "Tokens out", "Images", "Cost")
PAGE_ROWS: Final = 50

_REFUSED_WORDS: Final = {
    "refused_requests": "requests per minute",
    "refused_tokens": "tokens per minute",
    "refused_concurrency": "requests at once",
    "refused_usd": "a budget",
    "refused_neurons": "neurons per day",
}


def rules_of(key: Key) -> list[tuple[str, str]]:
    """The limits that have no bar, in words."""
    return [
        *rates_of(key.limits),
        *((label, ", ".join(values)) for label, values in (
            ("models", key.allowed_models),
            ("endpoints", key.allowed_endpoints),
            ("networks", key.allowed_networks),
        ) if values),
    ]  # fmt: skip


def rates_of(limits: Limits) -> list[tuple[str, str]]:
    rates = (
        ("requests per minute", limits.requests_per_minute),
        ("tokens per minute", limits.tokens_per_minute),
        ("requests at once", limits.concurrency),
    )
    return [(label, f"{value:,}") for label, value in rates if value is not None]


@dataclass(frozen=True, slots=True)
class ShownKey:
    key: Key
    state: str
    bars: list[Bar]
    rules: list[tuple[str, str]]
    requests_today: int
    # What limits refused today, by which.
    refused: list[tuple[str, int]]

    @property
    def in_force(self) -> bool:
        return self.state == "active"


def shown_keys(keys: list[Key]) -> list[ShownKey]:
    usage = usage_by_key([key.pk for key in keys])
    now = timezone.now()
    return [
        ShownKey(
            key=key,
            state=key.state(now),
            bars=bars(key.limits, usage[key.pk]),
            rules=rules_of(key),
            requests_today=usage[key.pk].day.requests,
            refused=[
                (_REFUSED_WORDS[name], count)
                for name, count in usage[key.pk].refused_today.items()
                if count
            ],
        )
        for key in keys
    ]


@dataclass(frozen=True, slots=True)
class ShownOwner:
    """Over all keys of a member. `limits` is empty where an operator set none."""

    bars: list[Bar]
    rates: list[tuple[str, str]]
    requests_today: int
    is_limited: bool


def shown_owner(owner: Any) -> ShownOwner:
    limited = getattr(owner, "key_limits", None)
    limits = Limits() if limited is None else limited.limits
    usage = owner_usage(owner.pk)
    return ShownOwner(
        bars=bars(limits, usage),
        rates=rates_of(limits),
        requests_today=usage.day.requests,
        is_limited=limits.have_budgets or limits.have_rates,
    )


# --- By day and by model ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelSum:
    """`numbers` is a text for each of MODEL_COLUMNS, with the column's name before it."""

    model: str
    makes_text: bool
    numbers: list[tuple[str, str]]
    # Beside the dearest.
    percent: int


@dataclass(frozen=True, slots=True)
class DaySum:
    day: date
    requests: int
    errors: int
    tokens: int
    cost_nano_usd: int

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """A text for each of DAY_COLUMNS, with the column's name before it."""
        counts = (self.requests, self.errors, self.tokens)
        texts = [*(f"{count:,}" for count in counts), shown.usd(self.cost_nano_usd)]
        return list(zip(DAY_COLUMNS, texts, strict=True))


def recent_days(owner_id: int, today: date | None = None) -> tuple[list[DaySum], list[ModelSum]]:
    """The last CHART_DAYS days, those without a request too, and the models used in them."""
    today = today or timezone.now().astimezone(UTC).date()
    begin = today - timedelta(days=CHART_DAYS - 1)
    rows = sums_by_day(begin, today + timedelta(days=1), Q(owner_id=owner_id), by=("model",))
    days = {begin + timedelta(days=n): DaySum(begin + timedelta(days=n), 0, 0, 0, 0)
            for n in range(CHART_DAYS)}  # fmt: skip
    models: dict[str, list[int]] = {}
    for row in rows:
        tokens = row["prompt_tokens"] + row["completion_tokens"]
        before = days[row["day"]]
        days[row["day"]] = DaySum(
            before.day,
            before.requests + row["requests"],
            before.errors + row["errors"],
            before.tokens + tokens,
            before.cost_nano_usd + row["cost_nano_usd"],
        )
        sums = models.setdefault(row["model"], [0] * len(_OF_MODEL))
        for place, name in enumerate(_OF_MODEL):
            sums[place] += row[name]
    return list(days.values()), _by_cost(models)


_OF_MODEL: Final = (
    *("requests", "errors", "prompt_tokens", "completion_tokens", "images", "cost_nano_usd"),
)


def _by_cost(models: dict[str, list[int]]) -> list[ModelSum]:
    highest = max((sums[-1] for sums in models.values()), default=0)
    # Refusals alone, of which nothing ran, are no use of a model.
    used = [(name, sums) for name, sums in models.items() if sums[0]]
    used.sort(key=lambda one: (-one[1][-1], -one[1][0], one[0]))
    return [
        ModelSum(
            model=name or "(no model)",
            makes_text=sums[3] > 0 and not sums[4],
            numbers=list(
                zip(
                    MODEL_COLUMNS,
                    [*(f"{number:,}" for number in sums[:-1]), shown.usd(sums[-1])],
                    strict=True,
                )
            ),
            percent=sums[5] * 100 // highest if highest else 0,
        )
        for name, sums in used
    ]


# --- Requests ---------------------------------------------------------------------------------


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
        """Why it did not end as it should; empty when it did."""
        if self.row.error_message or self.row.error_code:
            return self.row.error_message or self.row.error_code
        return _END_WORDS.get(self.row.end_reason, "") if self.failed else ""


_END_WORDS: Final = {"client_gone": "The client went away before the answer was whole."}


@dataclass(frozen=True, slots=True)
class RequestPage:
    requests: list[ShownRequest]
    # Where the next, older page begins; None on the last.
    older: str | None
    # How far the search came, when it took too long to fill the page.
    searched_to: datetime | None = None


def request_page(
    owner_id: int, *, key_id: int | None = None, failed: bool = False, before: str = ""
) -> RequestPage:
    """Newest first. `before` is `older` of the page before, so each costs as much as the first;
    what is no such text begins anew."""
    equal = {"owner_id": owner_id} if key_id is None else {"owner_id": owner_id, "key_id": key_id}
    walk = Walk(Sought(equal=equal, failed=failed), Position.parse(before))
    found, older = walk.page(PAGE_ROWS)
    return RequestPage(
        [ShownRequest(row) for row in found],
        None if older is None else str(older),
        older.started_at if older is not None and len(found) < PAGE_ROWS else None,
    )


def own_request(owner_id: int, request_id: str) -> RequestLog | None:
    """The newest, since a client may send an id twice."""
    rows = RequestLog.objects.filter(request_id=request_id, owner_id=owner_id)
    return rows.order_by("-id").first()


def request_as_json(row: RequestLog) -> dict[str, Any]:
    """What the playground shows of an answer; amounts are exact decimal texts, unknown is null."""
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
