"""The stored prompts and answers of keys with capture."""

from typing import ClassVar

from django.db import models

from keys.models.request_log import RequestLog


class CapturedText(models.Model):
    """The prompt and the answer of one request, for keys with capture. At most one for a log row.

    A client may use a request id twice, so the row is found by id, key and time. The texts are not
    in the log's own table, so that lists and exports cannot show them, and so that they can be
    deleted before their row.
    """

    started_at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    key_id = models.BigIntegerField()
    asked = models.TextField()
    # The length before it was cut.
    asked_characters = models.IntegerField()
    answered = models.TextField()
    answered_characters = models.IntegerField()

    class Meta:
        verbose_name = "captured text"
        verbose_name_plural = "captured texts"
        default_permissions = ("view", "delete")
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="keys_captured_request_id"),
            models.Index(fields=["key_id", "started_at"], name="keys_captured_key"),
        ]

    def __str__(self) -> str:
        return f"text of {self.request_id}"

    @classmethod
    def of(cls, row: RequestLog) -> "CapturedText | None":
        found = cls.objects.filter(request_id=row.request_id, started_at=row.started_at)
        return found.filter(key_id=row.key_id or 0).first()
