"""`manage.py change_key ID`: changes what is named, and nothing else."""

import argparse
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys.errors import CannotChangeKey
from keys.key_changes import change_key
from keys.key_choice import NoSuchKey, key_named
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
from keys.models import Key, Revision
from keys.written_limits import BadLimit


class Command(BaseCommand):
    help = (
        "Changes what is named of a key and nothing else. ID is its number or its display prefix. "
        "An empty value takes a limit away: --daily-usd ''."
    )
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--name", metavar="NAME", help="what the key is for")
        parser.add_argument("--owner", metavar="USERNAME", help="made when missing")
        add_limit_options(parser)
        add_user_limit_option(parser)
        add_access_options(parser)
        parser.add_argument("--json", action="store_true", help="print the key as it is now")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = access_fields(options)
        limits, user_limits = limits_given(options), user_limits_given(options)
        if options["name"] is not None:
            fields["name"] = options["name"].strip()
        if not (fields or limits or user_limits or options["owner"] is not None):
            raise CommandError("Name what to change, such as --rpm 60; --help lists the options.")
        with transaction.atomic():
            # The lock keeps another change from coming between reading the key and saving it.
            Revision.take_next()
            key = self._key(options["id"])
            if options["owner"] is not None:
                fields["owner"] = self._owner(options["owner"].strip())
            try:
                told = change_key(
                    key,
                    fields=fields,
                    limits=limits,
                    user_limits=user_limits,
                    by_id=command_account_id(),
                    how="by the command change_key",
                )
            except ValidationError as error:
                words = first_problem(error, name="--name", owner="--owner")
                raise CommandError(words) from None
            except (BadLimit, CannotChangeKey) as error:
                raise CommandError(f"{str(error).rstrip('.')}.") from None
        if options["json"]:
            self.stdout.write(json.dumps(key_as_json(key), ensure_ascii=False))
        elif told:
            self.stdout.write(f"Changed key {key.pk} ({key.name}): {'; '.join(told)}.")
        else:
            self.stdout.write(f"Key {key.pk} ({key.name}) is so already.")

    def _key(self, text: str) -> Key:
        try:
            return key_named(text)
        except NoSuchKey as error:
            raise CommandError(f"ID: {error}.") from None

    def _owner(self, username: str) -> Any:
        owner, was_made = owner_named(username)
        if was_made:
            told = f"Made the user {username!r}, who cannot sign in without a password."
            self.stderr.write(told, style_func=str)
        return owner
