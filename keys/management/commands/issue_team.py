"""`manage.py issue_team NAME`: makes a team; one that is there already stays as it is."""

import argparse
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.key_history import command_account_id, note_made
from keys.limit_holders import holder_of_team
from keys.management.key_options import add_reserve_option, reserve_field
from keys.management.limit_options import add_limit_options, limits_given, set_limits
from keys.models import Revision
from keys.teams import make_team, team_as_json


class Command(BaseCommand):
    help = "Makes a team. One of this name that is there already stays as it is."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--notes", default="", help="for operators")
        add_limit_options(parser)
        add_reserve_option(parser)
        parser.add_argument("--json", action="store_true", help="print the team")

    def handle(self, *args: Any, **options: Any) -> None:
        limits = limits_given(options)
        with transaction.atomic():
            # The lock: a team of this name is made, renamed and deleted before or after.
            Revision.take_next()
            try:
                team, was_made = make_team(
                    options["name"], options["notes"], **reserve_field(options)
                )
            except ValidationError as error:
                raise CommandError(f"NAME: {error.messages[0]}") from None
            if was_made:
                set_limits(holder_of_team(team), limits)
                note_made(team, command_account_id(), "Made by the command issue_team.")
        if options["json"]:
            self.stdout.write(json.dumps(team_as_json(team), ensure_ascii=False))
        elif was_made:
            self.stdout.write(f"Made the team {team.name}.")
        else:
            self.stdout.write(f"The team {team.name} was there already; change_team changes it.")
