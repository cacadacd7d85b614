"""`manage.py issue_key NAME --owner USERNAME`: the new key alone on stdout, once."""

import argparse
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.key_changes import issue_key
from keys.key_history import command_account_id
from keys.key_json import key_as_json
from keys.management.key_options import (
    access_fields,
    add_access_options,
    first_problem,
    owner_named,
)
from keys.management.limit_options import (
    add_limit_options,
    add_user_limit_option,
    limits_given,
    user_limits_given,
)
from keys.written_limits import BadLimit


class Command(BaseCommand):
    help = "Issues an API key and prints it once, alone on stdout."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the key is for")
        parser.add_argument("--owner", required=True, metavar="USERNAME", help="made when missing")
        add_limit_options(parser)
        add_user_limit_option(parser)
        add_access_options(parser)
        parser.add_argument("--json", action="store_true", help="print an object instead")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = access_fields(options)
        limits, user_limits = limits_given(options), user_limits_given(options)
        name, username = options["name"].strip(), options["owner"].strip()
        with transaction.atomic():
            owner, was_made = owner_named(username)
            try:
                key, text = issue_key(
                    name=name,
                    owner=owner,
                    fields=fields,
                    limits=limits,
                    user_limits=user_limits,
                    by_id=command_account_id(),
                    how="by the command issue_key",
                )
            except ValidationError as error:
                raise CommandError(first_problem(error, name="NAME")) from None
            except BadLimit as error:
                raise CommandError(f"{error}.") from None
        if was_made:
            self._notice(f"Made the user {username!r}, who cannot sign in without a password.")
        if options["json"]:
            self.stdout.write(json.dumps(key_as_json(key, text), ensure_ascii=False))
        else:
            self._notice(f"Key {key.pk} for {username}. It is shown this once:")
            self.stdout.write(text)

    def _notice(self, text: str) -> None:
        """Writes to stderr, without the red colour of errors."""
        self.stderr.write(text, style_func=str)
