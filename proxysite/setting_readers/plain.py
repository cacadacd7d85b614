"""Texts, numbers, choices and lists."""

import os
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
Default = TypeVar("Default", int, None)


class SettingError(ImproperlyConfigured):
    """A setting's value cannot be used; the text has the variable, its value, what it accepts."""


def bad_setting(name: str, got: object, takes: str) -> SettingError:
    # Whatever the variable is for: who writes a password into a URL does not want it in a log.
    shown = re.sub(r"(?<=//)[^/?#]*@", "…@", got) if isinstance(got, str) else got
    return SettingError(f"{name} is {shown!r}: it takes {takes}.")


def text(name: str, default: str = "") -> str:
    # Literally: env.str takes a value that begins with $ as the name of another variable.
    got = os.environ.get(name, "").strip()
    if len(got) > 1 and got[0] == got[-1] and got[0] in "\"'":
        # docker's --env-file and kubectl's --from-env-file leave a file's quotes in the value.
        got = got[1:-1].strip()
    return got or default


def parsed(name: str, default: T, parse: Callable[[str], T], takes: str) -> T:
    """The variable's value through `parse`; unset or empty means `default`."""
    got = text(name)
    if not got:
        return default
    try:
        return parse(got)
    except (ValueError, ImproperlyConfigured):
        raise bad_setting(name, got, takes) from None


def whole_number(name: str, default: Default, low: int, high: int) -> int | Default:
    def parse(got: str) -> int:
        number = int(got)
        if not low <= number <= high:
            raise ValueError
        return number

    takes = f"a whole number from {low} to {high}"
    return parsed(name, default, parse, takes)


def seconds(name: str, default: float, low: float = 0.05, high: float = 86_400) -> float:
    def parse(got: str) -> float:
        number = float(got)
        if not low <= number <= high:
            raise ValueError
        return number

    return parsed(name, default, parse, f"a number of seconds from {low:g} to {high:g}")


def yes_or_no(name: str, default: bool) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}

    def parse(got: str) -> bool:
        try:
            return words[got.lower()]
        except KeyError:
            raise ValueError from None

    return parsed(name, default, parse, "true or false")


def matching(pattern: str) -> Callable[[str], str]:
    """For `parsed`: accepts what matches the whole pattern, unchanged."""

    def parse(got: str) -> str:
        if re.fullmatch(pattern, got) is None:
            raise ValueError
        return got

    return parse


def listed(
    name: str,
    default: Iterable[str] = (),
    parse: Callable[[str], str] = str,
    takes: str = "texts with commas between them",
) -> list[str]:
    """The values between commas, each through `parse`; unset or empty means `default`."""
    got = [part.strip() for part in text(name).split(",") if part.strip()]
    try:
        return [parse(part) for part in got] or list(default)
    except ValueError:
        raise bad_setting(name, text(name), takes) from None


def in_either_case(name: str) -> str:
    """A variable that other programs share, and that some write in small letters."""
    return text(name) or text(name.lower())
