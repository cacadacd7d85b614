"""`manage.py revoke_service_token ID`: the token is refused from the next request on."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.key_history import command_account_id
from management_api.tokens import NoSuchToken, revoke_token, token_named, tokens_as_json


class Command(BaseCommand):
    help = "Revokes a service token for good. ID is its number or its display prefix."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--json", action="store_true", help="print the token's state")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token = token_named(options["id"])
        except NoSuchToken as error:
            raise CommandError(f"ID is {options['id'][:24]!r}: {error}.") from None
        how = "by the command revoke_service_token"
        revoked_now = revoke_token(token, command_account_id(), how)
        if options["json"]:
            self.stdout.write(json.dumps(tokens_as_json([token])[0], ensure_ascii=False))
        elif revoked_now:
            self.stdout.write(f"Revoked the service token {token.pk} ({token.name}).")
        else:
            self.stdout.write(f"The service token {token.pk} ({token.name}) was revoked before.")
