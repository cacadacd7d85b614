"""The options of `issue_key` and `change_key` that are not limits, read in the caller's words; that
of the reserve is a team's too."""

import argparse
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from keys.amounts import last_moment_from_text
from keys.models import ENDPOINTS
from keys.owners import make_account

# Fields of `Key`, and the options that set them.
OPTIONS: Final = {
    "allowed_models": "--models",
    "allowed_endpoints": "--endpoints",
    "allowed_networks": "--networks",
}


def add_access_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--notes", help="for operators only")
    parser.add_argument("--expires", metavar="DATE", help="last day, such as 2027-01-31 (UTC)")
    parser.add_argument("--models", metavar="PATTERN[,…]", help="such as '@cf/meta/*'")
    parser.add_argument("--endpoints", metavar="NAME[,…]", help=", ".join(ENDPOINTS))
    parser.add_argument("--networks", metavar="CIDR[,…]", help="such as 10.0.0.0/8")
    add_reserve_option(parser)


def add_reserve_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reserve", choices=("yes", "no"), help="whether it may use the reserved neurons"
    )


def reserve_field(options: dict[str, Any]) -> dict[str, bool]:
    """Empty where the option was not given."""
    given = options["reserve"]
    return {} if given is None else {"uses_reserve": given == "yes"}


def access_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Key` whose options were given; an empty one takes the restriction away."""
    given: dict[str, Any] = {}
    if options["notes"] is not None:
        given["notes"] = options["notes"]
    if options["expires"] is not None:
        given["expires_at"] = _expiry(options["expires"])
    given |= reserve_field(options)
    for field, option in OPTIONS.items():
        text = options[option.removeprefix("--")]
        if text is not None:
            given[field] = [part.strip() for part in text.split(",") if part.strip()]
    return given


def _expiry(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = last_moment_from_text(text)
    except ValueError:
        moment = datetime.min.replace(tzinfo=timezone.get_current_timezone())
    if moment <= timezone.now():
        raise CommandError(
            f"--expires is {text!r}: it takes a day or time in the future, such as 2027-01-31."
        )
    return moment


def owner_named(username: str) -> tuple[Any, bool]:
    """The user, and whether it was made. Of two concurrent commands only one makes it."""
    try:
        owner, was_made = make_account(username)
    except ValidationError as error:
        raise CommandError(f"--owner is {username!r}: {error.messages[0]}") from None
    if not owner.is_active:
        raise CommandError(
            f"--owner is {username!r}: this account is not active, so the key would not work. "
            "Make it active first."
        )
    return owner, was_made


def first_problem(error: ValidationError, **options: str) -> str:
    """`options` are the words for fields that each command names in its own way."""
    field, problems = next(iter(error.message_dict.items()))
    return f"{ {**OPTIONS, **options}.get(field, field) }: {problems[0]}"
