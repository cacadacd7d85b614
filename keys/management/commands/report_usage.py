"""`manage.py report_usage`: what each used and cost in a month, as CSV or JSON on stdout."""

import argparse
import json
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys.csv_file import csv_texts
from keys.reports.month_report import BY, FIGURES, fields, month_from_text, month_report


class Command(BaseCommand):
    help = (
        "Tells what each owner, team, key, model, person behind a key or Cloudflare account used "
        "and cost in a month (UTC), the most expensive first. The lines add up to all use: what is "
        "of nobody has a line without a name. Amounts in USD and neurons are exact."
    )
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--month", metavar="2026-11", help="this month unless given")
        parser.add_argument("--by", default="owner", metavar="|".join(BY))
        parser.add_argument("--format", default="csv", metavar="csv|json")

    def handle(self, *args: Any, **options: Any) -> None:
        by = options["by"]
        if by not in BY:
            raise CommandError(f"--by is {by!r}: it takes {', '.join(BY)}.")
        if options["format"] not in ("csv", "json"):
            raise CommandError(f"--format is {options['format']!r}: it takes csv or json.")
        lines = month_report(_month(options["month"]), by).as_json()
        if options["format"] == "json":
            self.stdout.write(json.dumps(lines, indent=2, ensure_ascii=False))
            return
        header = ["month", *fields(by), *FIGURES]
        for text in csv_texts(header, (line.values() for line in lines)):
            self.stdout.write(text, ending="")


def _month(text: str | None) -> Any:
    if text is None:
        return timezone.now().astimezone(UTC).date().replace(day=1)
    try:
        return month_from_text(text)
    except ValueError:
        raise CommandError(f"--month is {text!r}: it takes a month such as 2026-11.") from None
