"""`manage.py check_ledger`: recomputes every total from the rows and reports any difference."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.ledger import check as ledger_check
from keys.ledger import month_totals
from keys.ledger.account_totals import AccountPlace
from keys.ledger.check import Difference
from keys.ledger.team_totals import TeamPlace
from keys.log.progress import Progress


class Command(BaseCommand):
    help = "Recomputes the totals of every day from the request log; fails on a difference."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one object")
        parser.add_argument(
            "--repair", action="store_true", help="set totals that differ to the sums of their rows"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        skipped = ledger_check.first_checked_day()
        days, found = 0, []
        with Progress(self.stderr, "days checked") as progress:
            for day in ledger_check.days_to_check():
                differences = ledger_check.differences(day)
                if differences and options["repair"]:
                    ledger_check.repair(day)
                found += self._told(differences, options["json"])
                days += 1
                progress.add()
            for month in ledger_check.months_to_check():
                differences = ledger_check.month_differences(month)
                if differences and options["repair"]:
                    # The gateway makes its totals again.
                    month_totals.forget([month])
                found += self._told(differences, options["json"])
        repaired = options["repair"]
        if options["json"]:
            result = {
                "days": days,
                "skipped_before": skipped.isoformat() if skipped else None,
                "differences": found,
                "repaired": repaired,
            }
            self.stdout.write(json.dumps(result, ensure_ascii=False))
        else:
            since = f" since {skipped}, before which rows were pruned" if skipped else ""
            self.stdout.write(f"{days} days checked{since}: {len(found)} differences.")
        if found and not repaired:
            raise CommandError(
                f"{len(found)} totals differ from their rows; --repair corrects them."
            )

    def _told(self, differences: list[Difference], as_json: bool) -> list[dict[str, Any]]:
        if not as_json:
            for each in differences:
                self.stdout.write(_line(each))
        return [_as_json(each) for each in differences]


def _as_json(difference: Difference) -> dict[str, Any]:
    place = difference.place
    return {
        **place._asdict(),
        "day": place.day.isoformat(),
        "field": difference.field,
        "rows": difference.rows,
        "total": difference.total,
    }


def _line(difference: Difference) -> str:
    place = difference.place
    if isinstance(place, AccountPlace):
        whose = f"account {place.account or '-'} {place.model or '-'}"
    else:
        where = f"team {place.team_id}" if isinstance(place, TeamPlace) else place.endpoint
        if isinstance(place, TeamPlace) and place.user:
            where += f" user {place.user}"
        whose = f"key {place.key_id} owner {place.owner_id} {place.model or '-'} {where}"
    return (
        f"{place.day} {whose}: {difference.field} is {difference.total:,}, "
        f"the rows add up to {difference.rows:,}"
    )
