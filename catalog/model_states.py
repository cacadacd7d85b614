"""The states of models that lists are filtered by, as conditions of queries."""

from typing import Final

from django.db.models import Q

MODEL_STATES: Final = {
    "on": Q(enabled=True, retired_at__isnull=True),
    "off": Q(enabled=False, retired_at__isnull=True),
    "retired": Q(retired_at__isnull=False),
    "deprecated": Q(planned_deprecation_date__isnull=False, retired_at__isnull=True),
}
