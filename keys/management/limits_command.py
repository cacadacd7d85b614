"""What the commands that change a holder's limits share: `change_owner`, `change_team`,
`change_everybody`."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.key_history import command_account_id, note_change
from keys.limit_holders import LimitHolder
from keys.limits_json import limits_of
from keys.management.limit_options import add_limit_options, limits_given, set_limits


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
            holder = self.holder(options)
            more = self.change_more(holder, options)
            if more is None and not limits:
                raise CommandError(
                    "Name what to change, such as --rpm 60; --help lists the options."
                )
            told = "; ".join([*(more or []), *set_limits(holder, limits)])
            if told:
                what = f"{told}. By the command {self.command}."
                note_change(holder.record, command_account_id(), what)
        if options["json"]:
            shown = {**self.facts(holder), "limits": limits_of(holder)}
            self.stdout.write(json.dumps(shown, ensure_ascii=False))
        elif told:
            self.stdout.write(f"Changed {holder.words}: {told}.")
        else:
            self.stdout.write(f"Nothing changed: {holder.words} had these limits already.")
