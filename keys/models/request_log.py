"""The request log: one row for each admitted request."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class RequestLog(models.Model):
    """One admitted request. Only `keys/ledger/` writes rows. They never change; pruning deletes
    them.

    Key, owner, model and team are copied without foreign keys, so that the row outlives them. A
    number that is not known is null, never 0.
    """

    started_at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    key_id = models.BigIntegerField(null=True)
    key_name = models.CharField(max_length=120)
    key_prefix = models.CharField(max_length=16)
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=150)
    endpoint = models.CharField(max_length=32)
    requested_model = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    stream = models.BooleanField()
    status = models.SmallIntegerField()
    error_code = models.CharField(max_length=64)
    error_message = models.CharField(max_length=500)
    finish_reason = models.CharField(max_length=32)
    end_reason = models.CharField(max_length=32)
    prompt_tokens = models.BigIntegerField(null=True)
    completion_tokens = models.BigIntegerField(null=True)
    cached_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    images = models.IntegerField(null=True)
    audio_ms = models.BigIntegerField(null=True)
    cost_nano_usd = models.BigIntegerField(null=True)
    neurons_micro = models.BigIntegerField(null=True)
    # "usage" and "header": measured by upstream. "price": computed from the price list. Null: an
    # older row.
    neurons_source = models.CharField(max_length=8, null=True)
    neurons_by_price_micro = models.BigIntegerField(null=True)
    usage_source = models.CharField(max_length=16)
    price = models.TextField(null=True)
    ttft_ms = models.IntegerField(null=True)
    duration_ms = models.BigIntegerField()
    attempts = models.SmallIntegerField()
    client_ip = models.CharField(max_length=45)
    user_agent = models.CharField(max_length=200)
    user = models.CharField(max_length=200)
    # In the line for the account's rate; null where it did not wait.
    waited_ms = models.IntegerField(null=True)
    # The team of the key's owner at that time. Null and "": none.
    team_id = models.BigIntegerField(null=True)
    team_name = models.CharField(max_length=120, db_default="")
    # As the client names them; empty where it names none. The session is one run of an agent or one
    # conversation, the agent one of several within it.
    session = models.CharField(max_length=128, db_default="")
    agent = models.CharField(max_length=64, db_default="")
    # Which of several Cloudflare accounts it used, by its name in the settings; empty where there
    # is one.
    account = models.CharField(max_length=32, db_default="")

    class Meta:
        verbose_name = "request"
        verbose_name_plural = "request log"
        # They rise with time, although the newest rows are read first: both engines read an index
        # backwards as well, but where each row comes before all others pages are split in the
        # middle and stay half empty.
        indexes: ClassVar = [
            models.Index(fields=["started_at", "id"], name="keys_log_time"),
            models.Index(fields=["key_id", "started_at", "id"], name="keys_log_key_time"),
            models.Index(fields=["owner_id", "started_at", "id"], name="keys_log_owner_time"),
            models.Index(fields=["model", "started_at", "id"], name="keys_log_model_time"),
            models.Index(fields=["endpoint", "started_at", "id"], name="keys_log_endpoint_time"),
            models.Index(fields=["request_id"], name="keys_log_request_id"),
            # Costs nothing for the requests of clients that name no session.
            models.Index(
                fields=["session", "started_at", "id"],
                condition=Q(session__gt=""),
                name="keys_log_session_time",
            ),
            models.Index(
                fields=["started_at", "id"],
                condition=Q(status__gte=400),
                name="keys_log_failed_time",
            ),
            models.Index(
                fields=["owner_id", "started_at", "id"],
                condition=Q(status__gte=400),
                name="keys_log_owner_failed_time",
            ),
            # Has very few rows: those where Workers AI said that the day's neurons are used up.
            models.Index(
                fields=["started_at", "id"],
                condition=Q(status__gte=400, error_code="insufficient_quota"),
                name="keys_log_used_up_time",
            ),
        ]

    def __str__(self) -> str:
        return self.request_id
