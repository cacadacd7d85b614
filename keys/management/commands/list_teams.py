"""`manage.py list_teams`: every team with its members; a lead has a star."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from keys.models import Team
from keys.teams import team_as_json


class Command(BaseCommand):
    help = "Lists teams with their members. A lead has a star."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        teams = [team_as_json(team) for team in Team.objects.order_by("name")]
        if options["json"]:
            self.stdout.write(json.dumps(teams, indent=2, ensure_ascii=False))
            return
        for team in teams:
            members = [
                member["username"] + ("*" if member["lead"] else "") for member in team["members"]
            ]
            self.stdout.write(f"{team['name']}  {' '.join(members)}".rstrip())
