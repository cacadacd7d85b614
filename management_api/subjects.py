"""What a limit or a raise is about, as requests name it: whose, what is counted, in which window,
on which models."""

import hashlib
import re
from typing import Any, Final

from rest_framework import serializers

from keys.held_limits import HOLDER_KINDS, WHATS, WINDOWS_OF, Subject
from keys.limit_holders import (
    LimitHolder,
    holder_of_everybody,
    holder_of_key,
    holder_of_owner,
    holder_of_owner_as_read,
    holder_of_team,
    holder_of_users,
)
from keys.models import Key, Team, normal_patterns
from keys.owners import owner_accounts
from keys.written_limits import KINDS, LimitKind
from management_api.fields import Fields, IdField, TextsField
from management_api.problems import Problem, bad_field, bad_parameter, not_found

_WINDOWS: Final = ("minute", "day", "week", "month", "total")
_ID: Final = re.compile(
    r"(?P<kind>key|owner|team|everybody|user)-(?P<id>[0-9]{1,18})-(?P<name>[a-z-]{3,20}?)"
    r"(?:-(?P<mark>[0-9a-f]{16}))?"
)


class SubjectFields(Fields):
    """`holder_id` is of a key, an owner or a team, and 0 for everybody; with `user`, which is each
    user behind a key, it is of the key."""

    holder_type = serializers.ChoiceField(choices=HOLDER_KINDS)
    holder_id = IdField(min_value=0, required=False)
    what = serializers.ChoiceField(choices=WHATS)
    window = serializers.ChoiceField(
        choices=_WINDOWS, required=False, allow_null=True, help_text="None for `concurrency`."
    )
    models = TextsField(required=False, help_text="Patterns of models that count; [] for all.")


class ShownSubject(serializers.Serializer[Any]):
    holder_type = serializers.ChoiceField(choices=HOLDER_KINDS)
    holder_id = IdField(min_value=0)
    holder = serializers.CharField(
        allow_null=True, help_text="As the commands name it: key:7, owner:alice; null if deleted."
    )
    what = serializers.ChoiceField(choices=WHATS)
    window = serializers.ChoiceField(choices=_WINDOWS, allow_null=True)
    models = serializers.ListField(child=serializers.CharField())
    limit = serializers.CharField(help_text="As the commands name it: daily-usd.")


def shown_subject(subject: Subject, holder: LimitHolder | None) -> dict[str, Any]:
    return {
        "holder_type": subject.holder_kind,
        "holder_id": subject.holder_id,
        "holder": None if holder is None else holder.name,
        "what": subject.what,
        "window": subject.window or None,
        "models": list(subject.models),
        "limit": LimitKind.of(subject).name,
    }


def kind_given(values: dict[str, Any]) -> LimitKind:
    """Raises Problem for a window that such a limit has not."""
    what, window = values["what"], values.get("window") or ""
    windows = WINDOWS_OF[what]
    if window not in windows:
        takes = ", ".join(windows) if windows != ("",) else "none"
        raise bad_field("#/window", f"{what!r} takes a window of: {takes}.")
    return LimitKind(what, window)


def holder_given(values: dict[str, Any]) -> LimitHolder:
    """Raises Problem for one that is not there."""
    kind, holder_id = values["holder_type"], values.get("holder_id")
    if (kind == "everybody") != (not holder_id):
        raise bad_field(
            "#/holder_id", "A key, an owner or a team has an id here; everybody has none, or 0."
        )
    holder = holder_with_id(kind, holder_id or 0)
    if holder is None:
        raise bad_field("#/holder_id", f"There is no {_noun(kind)} with this id.")
    return holder


def holder_asked(asked: Any) -> LimitHolder | None:
    """Of the parameters `holder_type` and `holder_id`; None where they are not there."""
    kind, text = asked.get("holder_type"), asked.get("holder_id", "")
    if kind is None:
        if text:
            raise bad_parameter("holder_type", "'holder_id' takes 'holder_type' beside it.")
        return None
    if kind not in HOLDER_KINDS:
        takes = ", ".join(HOLDER_KINDS)
        raise bad_parameter("holder_type", f"'holder_type' takes one of {takes}.")
    is_id = text.isascii() and text.isdecimal() and len(text) < 19
    if not is_id and not (kind == "everybody" and not text):
        raise bad_parameter("holder_id", "'holder_id' takes the number of one.")
    holder = holder_with_id(kind, int(text or 0), as_read=True)
    if holder is None:
        raise not_found(f"There is no {_noun(kind)} with this id.")
    return holder


def holder_with_id(kind: str, holder_id: int, *, as_read: bool = False) -> LimitHolder | None:
    if kind == "everybody":
        return None if holder_id else holder_of_everybody()
    if kind == "team":
        team = Team.objects.filter(pk=holder_id).first()
        return None if team is None else holder_of_team(team)
    if kind == "owner":
        account = owner_accounts().select_related("key_limits").filter(pk=holder_id).first()
        if account is None:
            return None
        return holder_of_owner_as_read(account) if as_read else holder_of_owner(account)
    key = Key.objects.select_related("owner").filter(pk=holder_id).first()
    if key is None:
        return None
    return holder_of_key(key) if kind == "key" else holder_of_users(key)


def limit_id(subject: Subject) -> str:
    """The same for the same limit, whatever its amount."""
    name = LimitKind.of(subject).name
    text = f"{subject.holder_kind}-{subject.holder_id}-{name}"
    return f"{text}-{_mark(subject.models)}" if subject.models else text


def subject_with_id(text: str, *, as_read: bool = True) -> tuple[LimitHolder, Subject]:
    """Whose limit, and which, an id of `limit_id` names. Raises Problem."""
    match = _ID.fullmatch(text)
    kind = None if match is None else KINDS.get(match["name"])
    if match is None or kind is None:
        raise no_such_limit()
    holder = holder_with_id(match["kind"], int(match["id"]), as_read=as_read)
    if holder is None:
        raise no_such_limit()
    if match["mark"] is None:
        return holder, holder.subject(kind.what, kind.window)
    for row in holder.rows.filter(what=kind.what, window=kind.window):
        if row.model_patterns and _mark(row.model_patterns) == match["mark"]:
            return holder, row.subject
    raise no_such_limit()


def no_such_limit() -> Problem:
    return not_found("There is no such limit.")


def _mark(patterns: Any) -> str:
    text = "\0".join(normal_patterns(patterns)).encode("utf-8", "replace")
    return hashlib.sha256(text).hexdigest()[:16]


def _noun(kind: str) -> str:
    return {"user": "key"}.get(kind, kind)
