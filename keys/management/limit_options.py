"""The options of commands that set limits, read in the caller's words."""

import argparse
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from keys.limit_changes import change_limits
from keys.limit_holders import LimitHolder
from keys.written_limits import KINDS, BadLimit, WrittenLimit, ensure_each_once, limit_from_text


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    for kind in KINDS.values():
        parser.add_argument(f"--{kind.name}", metavar=kind.unit.metavar, help=kind.words)
    parser.add_argument(
        "--limit",
        action="append",
        metavar="'NAME=AMOUNT PATTERN…'",
        help="a limit that counts some models only, such as 'rpm=20 @cf/moonshotai/*'; repeatable",
    )


def add_user_limit_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user-limit",
        action="append",
        metavar="'NAME=AMOUNT'",
        help="a limit for each user behind the key, such as 'daily-usd=1'; repeatable",
    )


def limits_given(options: dict[str, Any]) -> list[WrittenLimit]:
    """What the options of `add_limit_options` say. An empty amount takes a limit away."""
    limits = []
    for kind in KINDS.values():
        text = options[kind.name.replace("-", "_")]
        if text is not None:
            limits.append(_read(f"--{kind.name}", str(text), kind.limit))
    limits += [_read("--limit", text, limit_from_text) for text in options["limit"] or ()]
    return _each_once(limits)


def user_limits_given(options: dict[str, Any]) -> list[WrittenLimit]:
    return _each_once(
        [_read("--user-limit", text, limit_from_text) for text in options["user_limit"] or ()]
    )


def set_limits(holder: LimitHolder, limits: list[WrittenLimit]) -> list[str]:
    """What changed, in words."""
    try:
        return change_limits(holder, limits)
    except BadLimit as error:
        raise CommandError(f"{error}.") from None


def _read(option: str, text: str, parse: Callable[[str], WrittenLimit]) -> WrittenLimit:
    try:
        return parse(text)
    except BadLimit as error:
        raise CommandError(f"{option} is {text!r}: {error}.") from None


def _each_once(limits: list[WrittenLimit]) -> list[WrittenLimit]:
    try:
        ensure_each_once(limits)
    except BadLimit as error:
        raise CommandError(f"{error}.") from None
    return limits
