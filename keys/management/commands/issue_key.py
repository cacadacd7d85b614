"""`manage.py issue_key NAME --owner USERNAME`: the new key alone on stdout, once."""

import argparse
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from keys.amounts import last_moment_from_text, nano_usd_from_text, neurons_micro_from_text
from keys.key_history import command_account_id, note_made
from keys.key_json import key_as_json
from keys.models import ENDPOINTS, Key

T = TypeVar("T")

# Fields of `Key`, and the options that set them.
_OPTIONS = {
    "name": "NAME",
    "allowed_models": "--models",
    "allowed_endpoints": "--endpoints",
    "allowed_networks": "--networks",
}


class Command(BaseCommand):
    help = "Issues an API key and prints it once, alone on stdout."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the key is for")
        parser.add_argument("--owner", required=True, metavar="USERNAME", help="made when missing")
        parser.add_argument("--notes", default="")
        parser.add_argument("--rpm", metavar="N", help="requests per minute")
        parser.add_argument("--tpm", metavar="N", help="tokens per minute")
        parser.add_argument("--concurrency", metavar="N", help="requests at once")
        parser.add_argument("--daily-usd", metavar="USD", help="budget per day (UTC)")
        parser.add_argument("--monthly-usd", metavar="USD", help="budget per month (UTC)")
        parser.add_argument("--total-usd", metavar="USD", help="budget in all")
        parser.add_argument("--daily-neurons", metavar="N", help="neurons per day (UTC)")
        parser.add_argument("--expires", metavar="DATE", help="last day, such as 2027-01-31 (UTC)")
        parser.add_argument("--models", metavar="PATTERN[,…]", help="such as '@cf/meta/*'")
        parser.add_argument("--endpoints", metavar="NAME[,…]", help=", ".join(ENDPOINTS))
        parser.add_argument("--networks", metavar="CIDR[,…]", help="such as 10.0.0.0/8")
        parser.add_argument("--json", action="store_true", help="print an object instead")

    def handle(self, *args: Any, **options: Any) -> None:
        limits = _limits(options)
        name, username = options["name"].strip(), options["owner"].strip()
        with transaction.atomic():
            owner, was_made = _owner(username)
            try:
                key, text = Key.issue(name=name, owner=owner, notes=options["notes"], **limits)
            except ValidationError as error:
                raise CommandError(_first_problem(error)) from None
            secret = f"{key.prefix}…{key.last_four}"
            note_made(key, command_account_id(), f"Issued, {secret}, by the command issue_key.")
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


def _limits(options: dict[str, Any]) -> dict[str, Any]:
    count, usd = "a whole number above 0", "an amount above 0 such as 12.50"
    return {
        "requests_per_minute": _parsed(options, "rpm", _count, count),
        "tokens_per_minute": _parsed(options, "tpm", _count, count),
        "concurrency": _parsed(options, "concurrency", _count, count),
        "daily_budget_nano_usd": _parsed(options, "daily_usd", nano_usd_from_text, usd),
        "monthly_budget_nano_usd": _parsed(options, "monthly_usd", nano_usd_from_text, usd),
        "total_budget_nano_usd": _parsed(options, "total_usd", nano_usd_from_text, usd),
        "daily_neurons_micro": _parsed(
            options, "daily_neurons", neurons_micro_from_text, "a number above 0"
        ),
        "expires_at": _parsed(
            options, "expires", _future, "a day or time in the future, such as 2027-01-31"
        ),
        "allowed_models": _listed(options["models"]),
        "allowed_endpoints": _listed(options["endpoints"]),
        "allowed_networks": _listed(options["networks"]),
    }


def _parsed(options: dict[str, Any], name: str, parse: Callable[[str], T], takes: str) -> T | None:
    got = options[name]
    if got is None:
        return None
    try:
        return parse(str(got))
    except ValueError:
        option = "--" + name.replace("_", "-")
        raise CommandError(f"{option} is {got!r}: it takes {takes}.") from None


def _count(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**62:
        raise ValueError("out of range")
    return number


def _future(text: str) -> datetime:
    moment = last_moment_from_text(text)
    if moment <= timezone.now():
        raise ValueError("in the past")
    return moment


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _owner(username: str) -> tuple[Any, bool]:
    """The user, and whether it was made. Of two concurrent commands only one makes it."""
    users = get_user_model()
    owner = users(username=username)
    owner.set_unusable_password()
    try:
        owner.full_clean(validate_unique=False)
    except ValidationError as error:
        # An existing account may have a name that is not valid for a new one.
        if not users.objects.filter(username=username).exists():
            problem = next(iter(error.messages))
            raise CommandError(f"--owner is {username!r}: {problem}") from None
    owner, was_made = users.objects.get_or_create(
        username=username, defaults={"password": owner.password}
    )
    if not owner.is_active:
        raise CommandError(
            f"--owner is {username!r}: this account is not active, so the key would not work. "
            "Make it active first."
        )
    return owner, was_made


def _first_problem(error: ValidationError) -> str:
    field, problems = next(iter(error.message_dict.items()))
    return f"{_OPTIONS.get(field, field)}: {problems[0]}"
