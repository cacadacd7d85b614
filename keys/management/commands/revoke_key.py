"""`manage.py revoke_key ID`: the key is refused from now on, on every worker within seconds."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.key_changes import revoke_key
from keys.key_choice import NoSuchKey, key_named
from keys.key_history import command_account_id
from keys.key_json import key_as_json


class Command(BaseCommand):
    help = "Revokes a key for good. ID is its number or its display prefix."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--json", action="store_true", help="print the key's state")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = key_named(options["id"])
        except NoSuchKey as error:
            raise CommandError(f"ID: {error}.") from None
        revoked_now = revoke_key(key, by_id=command_account_id(), how="by the command revoke_key")
        key.refresh_from_db()
        if options["json"]:
            self.stdout.write(json.dumps(key_as_json(key), ensure_ascii=False))
        elif revoked_now:
            self.stdout.write(f"Revoked key {key.pk} ({key.name}).")
        else:
            self.stdout.write(f"Key {key.pk} ({key.name}) was revoked before.")
