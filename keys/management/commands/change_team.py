"""`manage.py change_team NAME`: a team's limits, name and notes; only what is named changes."""

import argparse
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from keys.limit_holders import LimitHolder, holder_of_team
from keys.management.key_options import add_reserve_option, reserve_field
from keys.management.limits_command import LimitsCommand
from keys.models import Team
from keys.teams import NoSuchTeam, change_team, team_as_json, team_named


class Command(LimitsCommand):
    help = (
        "Changes what is named of a team and nothing else. An empty value takes a limit away: "
        "--daily-usd ''."
    )
    command = "change_team"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--rename", metavar="NAME", help="its new name")
        parser.add_argument("--notes", help="for operators only")
        add_reserve_option(parser)
        super().add_arguments(parser)

    def holder(self, options: dict[str, Any]) -> LimitHolder:
        try:
            return holder_of_team(team_named(options["name"]))
        except NoSuchTeam as error:
            raise CommandError(f"NAME: {error}.") from None

    def change_more(self, holder: LimitHolder, options: dict[str, Any]) -> list[str] | None:
        named: dict[str, Any] = {"name": options["rename"], "notes": options["notes"]}
        values = {field: text for field, text in named.items() if text is not None}
        values |= reserve_field(options)
        if not values:
            return None
        team = holder.record
        assert isinstance(team, Team)
        try:
            return change_team(team, values)
        except ValidationError as error:
            field, problems = next(iter(error.message_dict.items()))
            option = {"name": "--rename"}.get(field, f"--{field}")
            raise CommandError(f"{option}: {problems[0]}") from None

    def facts(self, holder: LimitHolder) -> dict[str, Any]:
        team = holder.record
        assert isinstance(team, Team)
        return team_as_json(team)
