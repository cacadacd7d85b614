"""The sums of the request log by day and by month, with histograms of latency."""

from typing import ClassVar, Final

from django.db import models

# Upper bounds, each twice the one before; the last bucket of a histogram has none.
LATENCY_BOUNDS_MS: Final = tuple(50 * 2**step for step in range(12))
TTFT_COUNTS: Final = tuple(f"ttft_count_{n}" for n in range(len(LATENCY_BOUNDS_MS) + 1))
DURATION_COUNTS: Final = tuple(f"duration_count_{n}" for n in range(len(LATENCY_BOUNDS_MS) + 1))


class Used(models.Model):
    """What all totals count, of one UTC day or of a month under its first day."""

    day = models.DateField()
    requests = models.BigIntegerField(default=0)
    # Status 400 and above, except for clients that disconnected.
    errors = models.BigIntegerField(default=0)
    client_gone = models.BigIntegerField(default=0)
    # Requests whose cost is not known, which is not 0.
    unpriced = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    images = models.BigIntegerField(default=0)
    audio_ms = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    neurons_micro = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class Totals(Used):
    """Sums over the requests of one key, owner, model and endpoint. Key, owner and model are copied
    as in the log. 0 and "" mean none: in a unique constraint null is equal to nothing."""

    key_id = models.BigIntegerField(default=0)
    key_name = models.CharField(max_length=120)
    owner_id = models.BigIntegerField(default=0)
    owner_name = models.CharField(max_length=150)
    model = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=32)

    # The sums of what the histograms below count.
    ttft_ms = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    # Refused by a limit. These requests have no row.
    refused_requests = models.BigIntegerField(default=0)
    refused_tokens = models.BigIntegerField(default=0)
    refused_concurrency = models.BigIntegerField(default=0)
    refused_usd = models.BigIntegerField(default=0)
    refused_neurons = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day} {self.key_name} {self.model}"


# Histograms of the time to the first byte and in all, for percentiles.
for _name in (*TTFT_COUNTS, *DURATION_COUNTS):
    Totals.add_to_class(_name, models.BigIntegerField(default=0))


class DayTotal(Totals):
    """Totals of one UTC day: a request belongs to the day on which it began.

    They are updated in the transaction that writes the rows, so they always agree with the rows,
    and stay when the rows are pruned.
    """

    class Meta:
        verbose_name = "day's total"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "key_id", "owner_id", "model", "endpoint"], name="keys_one_daytotal"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["key_id", "day"], name="keys_daytotal_key"),
            models.Index(fields=["owner_id", "day"], name="keys_daytotal_owner"),
            models.Index(fields=["model", "day"], name="keys_daytotal_model"),
        ]


class MonthTotal(Totals):
    """Totals of a complete past month, stored under its first day: the sums of its days' totals,
    made and deleted by `keys/ledger/month_totals.py`. A month has all of them or none."""

    class Meta:
        verbose_name = "month's total"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "key_id", "owner_id", "model", "endpoint"],
                name="keys_one_monthtotal",
            )
        ]


class TeamTotals(Used):
    """Sums by team and by the person behind a key, of the requests that have one of them. For
    limits of teams and persons, and for reports. The team is that of the day. 0 and "" mean
    none."""

    team_id = models.BigIntegerField(default=0)
    team_name = models.CharField(max_length=120, default="")
    key_id = models.BigIntegerField(default=0)
    key_name = models.CharField(max_length=120, default="")
    owner_id = models.BigIntegerField(default=0)
    owner_name = models.CharField(max_length=150, default="")
    user = models.CharField(max_length=200, default="")
    model = models.CharField(max_length=200, default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day} {self.team_name} {self.user} {self.model}"


class TeamTotal(TeamTotals):
    """Such totals of one UTC day, updated in the transaction that writes the rows, as `DayTotal`
    is."""

    class Meta:
        verbose_name = "day's total of a team"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "team_id", "key_id", "owner_id", "user", "model"],
                name="keys_one_teamtotal",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["team_id", "day"], name="keys_teamtotal_team"),
            models.Index(fields=["key_id", "user", "day"], name="keys_teamtotal_user"),
        ]


class TeamMonthTotal(TeamTotals):
    """To `TeamTotal` what `MonthTotal` is to `DayTotal`. A team that was renamed within the month
    has totals by each of its names."""

    class Meta:
        verbose_name = "month's total of a team"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "team_id", "team_name", "key_id", "owner_id", "user", "model"],
                name="keys_one_teammonthtotal",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["team_id", "day"], name="keys_teammonthtotal_team"),
            models.Index(fields=["key_id", "user", "day"], name="keys_teammonthtotal_user"),
        ]


class AccountTotal(Used):
    """Totals of one UTC day, by Cloudflare account and model, of the requests that used one of
    several accounts or that waited for the account's rate. An account of "" is the only one.

    They are updated in the transaction that writes the rows, as `DayTotal` is.
    """

    account = models.CharField(max_length=32, default="")
    model = models.CharField(max_length=200, default="")

    # Requests that waited, and for how long in all.
    waited = models.BigIntegerField(default=0)
    waited_ms = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "day's total of an account"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "account", "model"], name="keys_one_accounttotal"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.account} {self.model}"
