"""Django's `migrate`, one at a time: replicas that all begin with it do not meet in the middle."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from storage.one_at_a_time import migrating


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with migrating(connections[options["database"]]):
            super().handle(*args, **options)
