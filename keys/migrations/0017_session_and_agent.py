from django.db import migrations, models

from storage.columns import AddColumn


class Migration(migrations.Migration):
    """With defaults of the database: workers of an earlier release write rows without them."""

    dependencies = [
        ("keys", "0016_sign_on_groups"),
    ]

    operations = [
        AddColumn(
            model_name="requestlog",
            name="session",
            field=models.CharField(db_default="", max_length=128),
        ),
        AddColumn(
            model_name="requestlog",
            name="agent",
            field=models.CharField(db_default="", max_length=64),
        ),
    ]
