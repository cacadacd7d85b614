"""The stored prompts and answers of keys with capture."""

from typing import ClassVar

from django.db import models

from keys.models.request_log import RequestLog


class CapturedText(models.Model):
    """What one request asked and was answered, for keys with capture. One for a row of the log.

    A client may use a request id twice, so the row is the one with this id, key and moment. Apart
    from the log, so that lists and exports cannot show it and it can go before its row.
    """

    started_at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    key_id = models.BigIntegerField()
    asked = models.TextField()
    # As many as there were; a text that was cut has fewer.
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
