"""`manage.py erase_owner USERNAME --yes`: erases a person's name; rows and totals are kept."""

import argparse
import time
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from keys.key_history import COMMAND_ACCOUNT, SERVICE_ACCOUNTS
from keys.log.erasure import erase_account, erase_rows, erase_texts, erased_name
from keys.log.progress import Progress


class Command(BaseCommand):
    help = "Takes a person's name out of accounts, keys, request log, totals and history, for good."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--yes", action="store_true", help="there is no way back")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _account(options["username"])
        name = erased_name(user.pk)
        if not options["yes"]:
            raise CommandError(
                f"This makes the account {user.get_username()!r} {name!r}, without a way in, "
                "revokes its keys and takes its names, addresses and captured text out of what is "
                "kept, for good. Say --yes to do it."
            )
        erase_account(user)
        texts = self._erase(erase_texts(user.pk), "texts deleted")
        rows = self._erase(erase_rows(user.pk), "rows erased")
        self.stdout.write(
            f"The account is {name} now, in {rows} rows too; {texts} captured texts are deleted. A "
            f"request that ran meanwhile may have left one more: do it again for {name} in some "
            "minutes."
        )

    def _erase(self, batches: Iterable[int], what: str) -> int:
        erased = 0
        with Progress(self.stderr, what) as progress:
            begun_at = time.monotonic()
            for batch in batches:
                erased += batch
                progress.add(batch)
                # Pause, or this loop would take SQLite's lock again before anybody else gets it.
                time.sleep(time.monotonic() - begun_at)
                begun_at = time.monotonic()
        return erased


def _account(username: str) -> Any:
    users = get_user_model().objects
    user = users.filter(username=username).first()
    if user is None:
        raise CommandError(f"USERNAME is {username!r}: there is no such account.")
    if username == COMMAND_ACCOUNT or username.startswith(SERVICE_ACCOUNTS):
        raise CommandError(
            "USERNAME: what commands or service tokens change is noted under this account."
        )
    others = users.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        raise CommandError(f"USERNAME is {username!r}: nobody else is a superuser.")
    return user
