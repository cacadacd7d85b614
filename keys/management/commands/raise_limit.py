"""`manage.py raise_limit WHOSE WHAT=AMOUNT --until DATE --why TEXT`: it ends by itself."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from keys.amounts import last_moment_from_text
from keys.holder_choice import FORMS, NoSuchHolder, holder_named
from keys.key_history import command_account_id
from keys.models import Raise, Revision
from keys.raises import end_raise, make_raise, raises_as_json
from keys.written_limits import BadLimit, raise_from_text

_LONGEST_WHY = 500


class Command(BaseCommand):
    help = (
        "Raises a limit until a day: raise_limit key:7 daily-usd=+20 --until 2026-12-04 --why "
        "launch. WHAT is an option's name without dashes; +20 is 20 more, 120 is 120 in place of "
        "what it was."
    )
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("whose", nargs="?", metavar="WHOSE", help=FORMS)
        parser.add_argument(
            "what",
            nargs="?",
            metavar="WHAT=AMOUNT",
            help="such as daily-usd=+20, rpm=120 or 'rpm=+5 @cf/moonshotai/*'",
        )
        parser.add_argument("--until", metavar="DATE", help="last day, such as 2027-01-31 (UTC)")
        parser.add_argument("--why", metavar="TEXT", help="kept in the history")
        parser.add_argument("--list", action="store_true", help="list those in force")
        parser.add_argument("--end", type=int, metavar="ID", help="end one now; --list tells IDs")
        parser.add_argument("--json", action="store_true", help="print objects")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._print_all(list(Raise.in_force().order_by("until", "pk")), options["json"])
        elif options["end"] is not None:
            self._end(options["end"], options["json"])
        else:
            self._raise(options)

    def _raise(self, options: dict[str, Any]) -> None:
        if options["whose"] is None or options["what"] is None:
            raise CommandError("WHOSE and WHAT=AMOUNT are missing: key:7 daily-usd=+20.")
        until, why = _until(options["until"]), _why(options["why"])
        try:
            written = raise_from_text(options["what"])
        except BadLimit as error:
            raise CommandError(f"WHAT=AMOUNT is {options['what']!r}: {error}.") from None
        with transaction.atomic():
            # The lock: whoever is named is deleted before or after, not in between.
            Revision.take_next()
            try:
                holder = holder_named(options["whose"])
                made = make_raise(holder, written, until=until, why=why, by=_command_account())
            except NoSuchHolder as error:
                raise CommandError(f"WHOSE is {options['whose']!r}: {error}.") from None
            except BadLimit as error:
                raise CommandError(f"WHAT=AMOUNT is {options['what']!r}: {error}.") from None
        self._print(made, options["json"])

    def _end(self, raise_id: int, as_json: bool) -> None:
        found = Raise.objects.filter(pk=raise_id).first()
        if found is None:
            raise CommandError(f"--end is {raise_id}: there is no such raise; --list tells them.")
        if not end_raise(found, _command_account()) and not as_json:
            self.stdout.write(f"Raise {found.pk} had ended before.")
            return
        self._print(found, as_json)

    def _print(self, one: Raise, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(raises_as_json([one])[0], ensure_ascii=False))
        else:
            self._print_all([one], False)

    def _print_all(self, raises: list[Raise], as_json: bool) -> None:
        listed = raises_as_json(raises)
        if as_json:
            self.stdout.write(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        for one in listed:
            end = f"ended {one['ended_at']}" if one["ended_at"] else f"until {one['until']}"
            line = [str(one["id"]), one["whose"], one["what"], end, f"by {one['by']}: {one['why']}"]
            self.stdout.write("  ".join(line))


def _command_account() -> Any:
    return get_user_model().objects.get(pk=command_account_id())


def _until(text: str | None) -> datetime:
    if text is None:
        raise CommandError("--until is missing: it takes the last day, such as 2027-01-31.")
    try:
        moment = last_moment_from_text(text)
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    if moment <= timezone.now():
        raise CommandError(
            f"--until is {text!r}: it takes a day or time in the future, such as 2027-01-31."
        )
    return moment


def _why(text: str | None) -> str:
    if not (text or "").strip():
        raise CommandError("--why is missing: it takes a reason, which stays in the history.")
    assert text is not None
    if len(text) > _LONGEST_WHY:
        raise CommandError(f"--why has {len(text)} characters: it takes {_LONGEST_WHY}.")
    return text
