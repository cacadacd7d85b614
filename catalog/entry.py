"""One raw entry of Cloudflare's model list, read by type: a value may be of any kind or missing.

Pure. Flags and numbers arrive as text ("true", "131072"), prices as a list, reasoning as an object.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

Entry = Mapping[str, Any]

LONGEST_NAME = 255


def name_of(entry: object) -> str:
    """What callers call the model; "" when the entry has no usable name."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return ""
    # A name stands in URLs, logs and headers: one word of visible characters.
    return name if name.isprintable() and not re.search(r"\s", name) else ""


def author_of(entry: Entry) -> str:
    """The second part of `@cf/author/model`, or the first of `author/model`."""
    parts = name_of(entry).split("/")
    if len(parts) > 2 and parts[0].startswith("@"):
        return parts[1]
    return parts[0] if len(parts) > 1 else ""


def description_of(entry: Entry) -> str:
    text = entry.get("description")
    return text.strip().replace("\x00", "") if isinstance(text, str) else ""


def task_of(entry: Entry) -> str:
    task = entry.get("task")
    name = task.get("name") if isinstance(task, Mapping) else task
    return name.strip().replace("\x00", "")[:100] if isinstance(name, str) else ""


def created_at_of(entry: Entry) -> datetime | None:
    return _moment(entry.get("created_at"))


def deprecation_date_of(entry: Entry) -> date | None:
    moment = _moment(properties_of(entry).get("planned_deprecation_date"))
    return moment.date() if moment else None


def context_window_of(entry: Entry) -> int | None:
    """Tokens; an upper bound, as the platform's own limit may be lower (seen 2026-09)."""
    properties = properties_of(entry)
    return whole_number(properties.get("context_window")) or whole_number(
        properties.get("max_input_tokens")
    )


def properties_of(entry: Entry) -> dict[str, Any]:
    """The entry's properties by id; the first wins when an id repeats."""
    listed = entry.get("properties")
    found: dict[str, Any] = {}
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, Mapping) and isinstance(item.get("property_id"), str):
            found.setdefault(item["property_id"], item.get("value"))
    return found


def is_true(value: object) -> bool:
    """`"false"` occurs, so the presence of a flag says nothing."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def whole_number(value: object) -> int | None:
    """A positive whole number given as a number or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}(\.0+)?\s*", value):
        value = int(value.split(".")[0])
    return value if isinstance(value, int) and 0 < value < 10**15 else None


def _moment(value: object) -> datetime | None:
    """`2026-05-30`, `2026-07-31 14:10:43.440` or ISO 8601; without a zone it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None
