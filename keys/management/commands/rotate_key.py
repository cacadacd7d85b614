"""`manage.py rotate_key ID --overlap 24h`: the new key alone on stdout; both work for a while."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys.amounts import duration_from_text
from keys.errors import CannotChangeKey
from keys.key_changes import rotate_key
from keys.key_choice import NoSuchKey, key_named
from keys.key_history import command_account_id
from keys.key_json import key_as_json


class Command(BaseCommand):
    help = "Gives a key a new secret. ID is its number or its display prefix."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument(
            "--overlap",
            default="24h",
            metavar="TIME",
            help="how long the old secret goes on working: 30m, 24h, 7d, 0s (default 24h)",
        )
        parser.add_argument("--json", action="store_true", help="print an object instead")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            overlap = duration_from_text(options["overlap"])
        except ValueError:
            raise CommandError(
                f"--overlap is {options['overlap']!r}: it takes a time such as 30m, 24h or 7d."
            ) from None
        try:
            key = key_named(options["id"])
            text = rotate_key(
                key,
                overlap,
                by_id=command_account_id(),
                overlap_text=options["overlap"],
                how="by the command rotate_key",
            )
        except (NoSuchKey, CannotChangeKey) as error:
            raise CommandError(f"ID: {str(error).rstrip('.')}.") from None
        except OverflowError:
            raise CommandError(f"--overlap is {options['overlap']!r}: it is too long.") from None
        if options["json"]:
            self.stdout.write(json.dumps(key_as_json(key, text), ensure_ascii=False))
        else:
            until = f"works for {options['overlap']} more"
            if not overlap:
                until = "works no more"
            elif key.expires_at is not None and key.expires_at < timezone.now() + overlap:
                until = f"works until the key itself expires, {key.expires_at:%Y-%m-%d %H:%M} UTC"
            self.stderr.write(
                f"Key {key.pk} ({key.name}): the old secret {until}. "
                "The new one is shown this once:",
                style_func=str,
            )
            self.stdout.write(text)
