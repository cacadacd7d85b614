"""`manage.py deactivate_absent --days N`: accounts that nobody has signed in to for so long."""

import argparse
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from keys.key_history import command_account_id
from keys.owners import deactivate


class Command(BaseCommand):
    help = (
        "Makes accounts inactive that nobody has signed in to for so many days: their sessions and "
        "keys end within 5 seconds. With LEAVER_KEYS=revoke their keys are also revoked for good. "
        "Operators made by hand stay, and so do accounts that nobody ever signed in to, such as "
        "those of apps, unless --never-signed-in is given."
    )
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--days", required=True, metavar="N")
        parser.add_argument(
            "--never-signed-in",
            action="store_true",
            help="also accounts made so many days ago that nobody ever signed in to",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        since = timezone.now() - timedelta(days=_days(options["days"]))
        absent = Q(last_login__lt=since)
        if options["never_signed_in"]:
            absent |= Q(last_login=None, date_joined__lt=since)
        accounts = get_user_model().objects.filter(absent, is_active=True).order_by("username")
        done = 0
        for account in accounts.select_related("given_role"):
            seen = "never signed in"
            if account.last_login is not None:
                seen = f"last signed in {account.last_login:%Y-%m-%d}"
            if account.is_superuser and not hasattr(account, "given_role"):
                self.stdout.write(f"{account} stays ({seen}): an operator made by hand.")
                continue
            done += 1
            if options["dry_run"]:
                self.stdout.write(f"{account} would be made inactive ({seen}).")
                continue
            revoked = _deactivate(account, seen)
            keys = f", {revoked} key{'' if revoked == 1 else 's'} revoked" if revoked else ""
            self.stdout.write(f"{account} is inactive now ({seen}){keys}.")
        words = "would be made inactive" if options["dry_run"] else "made inactive"
        self.stdout.write(f"{done} account{'' if done == 1 else 's'} {words}.")


def _deactivate(account: Any, seen: str) -> int:
    """How many keys were revoked."""
    return deactivate(
        account,
        by_id=command_account_id(),
        told=f"Made inactive by the command deactivate_absent: {seen}.",
        revoked_told="Revoked by the command deactivate_absent.",
    )


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 36_500):
        raise CommandError(f"--days is {text!r}: it takes a whole number from 1 to 36500.")
    return int(text)
