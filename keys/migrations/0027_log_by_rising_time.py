from django.db import migrations, models

from storage.indexes import AddIndexBesideWrites

_FAILED = models.Q(status__gte=400)
# The old name, the new one, the fields before the time, and which rows are in it.
_INDEXES = (
    ("keys_log_newest", "keys_log_time", (), None),
    ("keys_log_key", "keys_log_key_time", ("key_id",), None),
    ("keys_log_owner", "keys_log_owner_time", ("owner_id",), None),
    ("keys_log_model", "keys_log_model_time", ("model",), None),
    ("keys_log_endpoint", "keys_log_endpoint_time", ("endpoint",), None),
    ("keys_log_session", "keys_log_session_time", ("session",), models.Q(session__gt="")),
    ("keys_log_failed", "keys_log_failed_time", (), _FAILED),
    ("keys_log_owner_failed", "keys_log_owner_failed_time", ("owner_id",), _FAILED),
    # Of indexes that are alike SQLite takes the newest: this one has the fewest rows.
    (
        "keys_log_used_up",
        "keys_log_used_up_time",
        (),
        models.Q(status__gte=400, error_code="insufficient_quota"),
    ),
)


def _renewed(old, new, fields, condition):
    """The old one goes when the new one is there: the log is read meanwhile."""
    index = models.Index(fields=[*fields, "started_at", "id"], condition=condition, name=new)
    return [
        AddIndexBesideWrites(model_name="requestlog", index=index),
        migrations.RemoveIndex(model_name="requestlog", name=old),
    ]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("keys", "0026_shares_of_budgets"),
    ]

    operations = [operation for each in _INDEXES for operation in _renewed(*each)]
