import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.errors import RefreshFailed
from catalog.refresh.run import refresh


class Command(BaseCommand):
    help = "Refreshes the cached model catalog from Cloudflare and prints what changed."
    # The admin's checks would load every page.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="take the answer even when it is empty or lacks many known models",
        )
        parser.add_argument("--json", action="store_true", help="print the difference as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            difference = refresh(force=options["force"], trigger="command")
        except RefreshFailed as error:
            raise CommandError(" ".join(str(error).split())) from error
        if options["json"]:
            self.stdout.write(json.dumps(difference.to_json()))
            return
        for warning in difference.warnings:
            self.stderr.write(f"! {warning}")
        for change in difference.changes:
            self.stdout.write(str(change))
        self.stdout.write(difference.summary)
