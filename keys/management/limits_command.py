"""What the commands that change a holder's limits share: `change_owner`, `change_team`,
`change_everybody`."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.holder_changes import change_holder
from keys.key_history import command_account_id
from keys.limit_holders import LimitHolder
from keys.limits_json import limits_of
from keys.management.limit_options import add_limit_options, limits_given
from keys.models import Revision
from keys.written_limits import BadLimit, WrittenLimit


class LimitsCommand(BaseCommand):
    """A command that changes what is named of one holder, and nothing else."""

    # Other checks would import all pages.
    requires_system_checks = ("keys",)
    command = ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_limit_options(parser)
        parser.add_argument("--json", action="store_true", help="print the limits as they are now")

    def holder(self, options: dict[str, Any]) -> LimitHolder:
        """Raises CommandError for one that is not there."""
        raise NotImplementedError

    def change_more(self, holder: LimitHolder, options: dict[str, Any]) -> list[str] | None:
        """Changes what is named beside limits, and tells it; None where nothing is named."""
        return None

    def facts(self, holder: LimitHolder) -> dict[str, Any]:
        """What `--json` prints beside the limits."""
        return {}

    def handle(self, *args: Any, **options: Any) -> None:
        limits = limits_given(options)
        with transaction.atomic():
            # The lock: what is read from here on is changed by nobody else until the end.
            Revision.take_next()
            holder = self.holder(options)
            more = self.change_more(holder, options)
            if more is None and not limits:
                raise CommandError(
                    "Name what to change, such as --rpm 60; --help lists the options."
                )
            told = "; ".join(self._changed(holder, limits, more or []))
        self._tell(holder, told, options)

    def _changed(
        self, holder: LimitHolder, limits: list[WrittenLimit], more: list[str]
    ) -> list[str]:
        by_id, how = command_account_id(), f"by the command {self.command}"
        try:
            return change_holder(holder, limits, by_id=by_id, more=more, how=how)
        except BadLimit as error:
            raise CommandError(f"{error}.") from None

    def _tell(self, holder: LimitHolder, told: str, options: dict[str, Any]) -> None:
        if options["json"]:
            shown = {**self.facts(holder), "limits": limits_of(holder)}
            self.stdout.write(json.dumps(shown, ensure_ascii=False))
        elif told:
            self.stdout.write(f"Changed {holder.words}: {told}.")
        else:
            self.stdout.write(f"Nothing changed: {holder.words} had these limits already.")
