"""`manage.py team_members NAME`: who is in a team; with options, who joins, leaves and leads it."""

import argparse
import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.key_history import command_account_id, note_change
from keys.models import Revision
from keys.teams import NoSuchTeam, NotPossible, join, leave, team_as_json, team_named


class Command(BaseCommand):
    help = (
        "Shows a team's members, after what the options change. Each option can be repeated; "
        "what is as it should be already stays so. Either all is changed or nothing."
    )
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        for option, words in (
            ("--add", "into the team; a lead stays lead"),
            ("--remove", "out of the team, with their keys"),
            ("--lead", "into the team where not in it, as lead"),
            ("--no-lead", "no longer lead, but still a member"),
        ):
            parser.add_argument(option, action="append", default=[], metavar="USERNAME", help=words)
        parser.add_argument("--json", action="store_true", help="print the team")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                # The lock: the team is deleted before or after, not in between.
                Revision.take_next()
                team = team_named(options["name"])
                for change in self._changes(team, options):
                    note_change(
                        team, command_account_id(), f"{change} By the command team_members."
                    )
        except NoSuchTeam as error:
            raise CommandError(f"NAME: {error}.") from None
        shown = team_as_json(team)
        if options["json"]:
            self.stdout.write(json.dumps(shown, ensure_ascii=False))
            return
        for member in shown["members"]:
            facts = [member["username"]]
            facts += ["lead"] if member["lead"] else []
            facts += [] if member["active"] else ["inactive"]
            self.stdout.write("  ".join(facts))

    def _changes(self, team: Any, options: dict[str, Any]) -> list[str]:
        # Those who leave first: then one command may take somebody out and in again.
        done = [leave(team, _account("--remove", name)) for name in options["remove"]]
        for option, as_lead in (("add", None), ("lead", True), ("no_lead", False)):
            for name in options[option]:
                said = "--" + option.replace("_", "-")
                account = _account(said, name)
                if as_lead is False and not team.memberships.filter(user=account).exists():
                    raise CommandError(f"{said} is {name!r}: not a member of {team.name}.")
                try:
                    done.append(join(team, account, as_lead=as_lead))
                except NotPossible as error:
                    raise CommandError(f"{said} is {name!r}: {error}.") from None
        return [change for change in done if change]


def _account(option: str, name: str) -> Any:
    users = get_user_model().objects
    account = users.filter(username=name.strip()).first() if "\0" not in name else None
    if account is None:
        raise CommandError(
            f"{option} is {name!r}: there is no account of this name. The admin makes one under "
            "Users, issue_key --owner makes one with a key."
        )
    return account
