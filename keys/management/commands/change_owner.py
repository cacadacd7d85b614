"""`manage.py change_owner USERNAME`: the limits over all keys of an owner; only what is named
changes."""

import argparse
from typing import Any

from django.core.management.base import CommandError

from keys.holder_choice import NoSuchHolder, owner_named
from keys.limit_holders import LimitHolder, holder_of_owner
from keys.management.limits_command import LimitsCommand
from keys.models import OwnerLimits
from keys.owners import MOST_KEYS, set_most_keys


class Command(LimitsCommand):
    help = (
        "Changes the limits over all keys of an owner: what is named and nothing else. An empty "
        "value takes a limit away: --daily-usd ''."
    )
    command = "change_owner"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument(
            "--max-keys",
            metavar="N",
            help="keys that the owner may make; '': MEMBER_MAX_KEYS of the settings",
        )
        super().add_arguments(parser)

    def holder(self, options: dict[str, Any]) -> LimitHolder:
        try:
            return holder_of_owner(owner_named(options["username"]))
        except NoSuchHolder as error:
            raise CommandError(f"USERNAME: {error}.") from None

    def change_more(self, holder: LimitHolder, options: dict[str, Any]) -> list[str] | None:
        if options["max_keys"] is None:
            return None
        most = _most_keys(str(options["max_keys"]))
        limits = holder.record
        assert isinstance(limits, OwnerLimits)
        return set_most_keys(limits, most)

    def facts(self, holder: LimitHolder) -> dict[str, Any]:
        limits = holder.record
        assert isinstance(limits, OwnerLimits)
        return {
            "id": limits.pk,
            "username": limits.owner.get_username(),
            "max_keys": limits.max_keys,
        }


def _most_keys(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        most = int(text)
    except ValueError:
        most = -1
    if not 0 <= most <= MOST_KEYS:
        raise CommandError(f"--max-keys is {text!r}: it takes a whole number, 0 for none.")
    return most
