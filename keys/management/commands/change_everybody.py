"""`manage.py change_everybody`: the limits of all keys together; only what is named changes."""

from typing import Any

from keys.limit_holders import LimitHolder, holder_of_everybody
from keys.management.limits_command import LimitsCommand


class Command(LimitsCommand):
    help = (
        "Changes the limits that hold for all keys together. An empty value takes a limit away: "
        "--rpm ''."
    )
    command = "change_everybody"

    def holder(self, options: dict[str, Any]) -> LimitHolder:
        return holder_of_everybody()
