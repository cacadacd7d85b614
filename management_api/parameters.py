"""Parameters of URLs, read."""

from collections.abc import Collection
from typing import Any

from management_api.problems import bad_parameter


def id_parameter(asked: Any, name: str) -> int:
    text = asked[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise bad_parameter(name, f"{name!r} takes the number of one.")
    return int(text)


def choice_parameter(asked: Any, name: str, choices: Collection[str]) -> str | None:
    """None where it is not asked for."""
    text: str | None = asked.get(name)
    if text is not None and text not in choices:
        raise bad_parameter(name, f"{name!r} takes one of {', '.join(choices)}.")
    return text


def yes_parameter(asked: Any, name: str) -> bool | None:
    text = choice_parameter(asked, name, ("true", "false"))
    return None if text is None else text == "true"
