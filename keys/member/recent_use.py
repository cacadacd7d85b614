"""What a member used in the last days, by day and by model. From totals."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from keys import shown
from keys.reports.usage import sums_by_day

CHART_DAYS: Final = 30
DAY_COLUMNS: Final = ("Requests", "Errors", "Tokens", "Cost")
MODEL_COLUMNS: Final = ("Requests", "Errors", "Tokens in", "Tokens out", "Images", "Cost")


@dataclass(frozen=True, slots=True)
class ModelSum:
    """The use of one model. `numbers` has a text for each of MODEL_COLUMNS, after its name."""

    model: str
    makes_text: bool
    numbers: list[tuple[str, str]]
    # In percent of the most expensive model's cost.
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
    """The last CHART_DAYS days, including those without requests, and the models used in them."""
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
    # A model with refused requests only was not used.
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
