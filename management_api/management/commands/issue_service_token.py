"""`manage.py issue_service_token NAME`: the new token alone on stdout, once."""

import argparse
import json
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from keys.amounts import last_moment_from_text
from keys.key_history import command_account_id
from management_api.models import USUAL_REQUESTS_PER_MINUTE, ServiceToken
from management_api.scopes import SCOPES, scopes_from_text
from management_api.tokens import issue_token, tokens_as_json

_OPTIONS = {
    "name": "NAME",
    "scopes": "--scopes",
    "expires_at": "--expires",
    "allowed_networks": "--networks",
    "requests_per_minute": "--rpm",
}


class Command(BaseCommand):
    help = "Issues a token for the management API and prints it once, alone on stdout."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the token is for")
        parser.add_argument("--scopes", required=True, metavar="SCOPE[,…]", help=", ".join(SCOPES))
        parser.add_argument(
            "--expires", required=True, metavar="DATE", help="last day, such as 2027-01-31 (UTC)"
        )
        parser.add_argument("--networks", default="", metavar="CIDR[,…]", help="such as 10.0.0.0/8")
        parser.add_argument("--rpm", default=str(USUAL_REQUESTS_PER_MINUTE), metavar="N")
        parser.add_argument("--json", action="store_true", help="print an object instead")

    def handle(self, *args: Any, **options: Any) -> None:
        token = ServiceToken(
            name=options["name"],
            scopes=_scopes(options["scopes"]),
            expires_at=_expiry(options["expires"]),
            allowed_networks=[
                part.strip() for part in options["networks"].split(",") if part.strip()
            ],
            requests_per_minute=_rate(options["rpm"]),
        )
        try:
            text = issue_token(token, command_account_id(), "by the command issue_service_token")
        except ValidationError as error:
            field, problems = next(iter(error.message_dict.items()))
            raise CommandError(f"{_OPTIONS.get(field, field)}: {problems[0]}") from None
        if options["json"]:
            [shown] = tokens_as_json([token])
            self.stdout.write(json.dumps({**shown, "token": text}, ensure_ascii=False))
            return
        told = f"Service token {token.pk} for {', '.join(token.scopes)}. It is shown this once:"
        self.stderr.write(told, style_func=str)
        self.stdout.write(text)


def _scopes(text: str) -> list[str]:
    try:
        return scopes_from_text(text)
    except ValueError as error:
        raise CommandError(f"--scopes is {text!r}: {error}.") from None


def _expiry(text: str) -> datetime:
    try:
        return last_moment_from_text(text)
    except ValueError:
        raise CommandError(
            f"--expires is {text!r}: it takes a day or time such as 2027-01-31."
        ) from None


def _rate(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise CommandError(f"--rpm is {text!r}: it takes a whole number above 0.")
    return int(text)
