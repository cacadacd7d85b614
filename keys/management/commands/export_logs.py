"""`manage.py export_logs`: request log rows on stdout, oldest first, in constant memory."""

import argparse
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.amounts import moment_from_text
from keys.key_choice import NoSuchKey, key_named
from keys.log.export import rows_oldest_first, write_csv, write_jsonl
from keys.log.progress import Progress
from keys.log.walk import Sought
from keys.models import RequestLog


class Command(BaseCommand):
    help = "Streams the request log, oldest first, one object or line a request."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--since", metavar="DATE", help="first day or time (UTC), included")
        parser.add_argument("--until", metavar="DATE", help="first day or time (UTC) left out")
        parser.add_argument("--key", metavar="ID", help="only this key: its number or prefix")
        parser.add_argument("--session", metavar="ID", help="only this session")
        parser.add_argument("--format", default="jsonl", metavar="jsonl|csv")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] not in ("jsonl", "csv"):
            raise CommandError(f"--format is {options['format']!r}: it takes jsonl or csv.")
        rows = rows_oldest_first(_sought(options))
        write = write_csv if options["format"] == "csv" else write_jsonl
        with Progress(self.stderr, "rows exported") as progress:
            write(_counted(rows, progress), _Unended(self.stdout))


def _sought(options: dict[str, Any]) -> Sought:
    equal: dict[str, Any] = {}
    if options["key"] is not None:
        equal["key_id"] = _key_id(options["key"])
    if options["session"]:
        equal["session"] = options["session"]
    return Sought(
        equal=equal,
        since=_moment(options, "since"),
        until=_moment(options, "until"),
    )


def _counted(rows: Iterable[RequestLog], progress: Progress) -> Iterator[RequestLog]:
    for row in rows:
        progress.add()
        yield row


class _Unended:
    """Writes without the newline that Django's stdout appends to each write."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text, ending="")


def _moment(options: dict[str, Any], name: str) -> datetime | None:
    if options[name] is None:
        return None
    try:
        return moment_from_text(options[name])
    except ValueError:
        raise CommandError(
            f"--{name} is {options[name]!r}: it takes a day or time such as 2027-01-31 "
            "or 2027-01-31T12:00."
        ) from None


def _key_id(text: str) -> int:
    """Rows outlive their key, so the id of a deleted key is accepted as well."""
    try:
        return key_named(text).pk
    except NoSuchKey as error:
        is_number = text.isascii() and text.isdecimal() and len(text) < 19
        if is_number and RequestLog.objects.filter(key_id=int(text)).exists():
            return int(text)
        raise CommandError(f"--key: {error}.") from None
