from django.db import migrations, models

from storage.indexes import AddIndexBesideWrites


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("keys", "0017_session_and_agent"),
    ]

    operations = [
        AddIndexBesideWrites(
            model_name="requestlog",
            index=models.Index(
                condition=models.Q(("session__gt", "")),
                fields=["session", "-started_at", "-id"],
                name="keys_log_session",
            ),
        ),
    ]
