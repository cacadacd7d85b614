"""Raises that members ask for: asked with a reason, granted, refused or withdrawn, once."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from keys.access.key_reading import read_records
from keys.alerting.raises import tell_answered, tell_asked, withdrawn
from keys.held_limits import HeldLimit
from keys.limit_holders import LimitHolder, holder_with
from keys.models import Key, Membership, RaiseRequest, Revision
from keys.models.raise_request import GRANTED, OPEN, REFUSED, WITHDRAWN
from keys.raises import make_raise, wish_text
from keys.scopes import HolderKind, digest
from keys.written_limits import LimitKind, WrittenRaise
from storage.names import on_one_line

# Of one member, that nobody has decided yet.
MOST_OPEN: Final = 10
# What leads decide for their members; a team's own limits and everybody's are the operators'.
_OF_LEADS: Final[frozenset[HolderKind]] = frozenset({"key", "owner", "user"})


# Whose limits a member may ask more of.
OF_A_KEY: Final[frozenset[HolderKind]] = frozenset({"key", "owner", "team"})


class NotPossible(ValueError):
    """The text says why, and what to do instead."""


def limits_to_raise(key: Key) -> dict[str, HeldLimit]:
    """By a name that a form can send."""
    [(record, _)] = read_records([key.pk], timezone.now().timestamp()).values()
    found = {}
    for limit in record.effective_limits:
        subject = limit.subject
        if subject.holder_kind in OF_A_KEY:
            place = (subject.holder_kind, str(subject.holder_id), subject.what, subject.window)
            found[digest(*place, *subject.models)] = limit
    return found


def ask(user: Any, limit: HeldLimit, *, plus: int, until: datetime, why: str) -> RaiseRequest:
    """The caller has made sure that the limit holds for a key of the user's."""
    subject = limit.subject
    with transaction.atomic():
        # The lock: two at once cannot exceed the maximum.
        Revision.take_next()
        if user.raise_requests.filter(state=OPEN).count() >= MOST_OPEN:
            raise NotPossible(
                f"{MOST_OPEN} of your requests wait for an answer: withdraw one to ask anew."
            )
        holder = holder_with(subject)
        if holder is None:
            raise NotPossible("Whoever had this limit is deleted.")
        asked = RaiseRequest.objects.create(
            holder_kind=subject.holder_kind,
            holder_id=subject.holder_id,
            what=subject.what,
            window=subject.window,
            model_patterns=list(subject.models),
            plus=plus,
            until=until,
            why=on_one_line(why),
            asked_by=user,
        )
        tell_asked(
            asked.pk,
            user,
            wanted=_wanted(asked, holder),
            why=asked.why,
            lead_ids=_leads_of(user) if asked.holder_kind in _OF_LEADS else (),
            admin_path=reverse("admin:keys_raiserequest_changelist"),
            lead_path=reverse("member:raises"),
        )
    return asked


def grant(asked: RaiseRequest, by: Any) -> None:
    """Makes the raise. Raises `NotPossible`, or `BadLimit` where the limit is gone."""
    with transaction.atomic():
        # The lock: whoever had the limit is deleted before or after, not in between.
        Revision.take_next()
        _decide(asked, GRANTED, by)
        if asked.until <= timezone.now():
            raise NotPossible(
                f"It was asked for until {asked.until:%Y-%m-%d}, which is over: refuse it."
            )
        holder = holder_with(asked.subject)
        if holder is None:
            raise NotPossible("Whoever had this limit is deleted: refuse it.")
        kind = LimitKind.of(asked.subject)
        wish = WrittenRaise(kind, asked.plus, True, asked.subject.models)
        why = f"asked for by {asked.asked_by}: {asked.why}"
        asked.made = make_raise(holder, wish, until=asked.until, why=why[:500], by=by)
        asked.save(update_fields=["made"])
        _tell_answer(asked, holder)


def refuse(asked: RaiseRequest, by: Any) -> None:
    with transaction.atomic():
        _decide(asked, REFUSED, by)
        _tell_answer(asked, holder_with(asked.subject))


def withdraw(asked: RaiseRequest, by: Any) -> None:
    with transaction.atomic():
        _decide(asked, WITHDRAWN, by)
        withdrawn(asked.pk)


def may_decide(asked: RaiseRequest, user: Any) -> bool:
    """Operators who may change keys, and leads for the members of their team; a lead does not
    decide for themselves."""
    if user.is_staff and user.has_perm("keys.change_key"):
        return True
    return _for_lead(user).filter(pk=asked.pk).exists()


def waiting_for_lead(user: Any) -> list[RaiseRequest]:
    """Those of the user's team that the user may decide."""
    return list(_for_lead(user).filter(state=OPEN).select_related("asked_by"))


def _for_lead(user: Any) -> QuerySet[RaiseRequest]:
    """What members of the user's team ask for. Of a key only while it is theirs: it may have gone
    to somebody of another team meanwhile."""
    led = Membership.objects.filter(user=user, is_lead=True).values("team_id")
    their_key = Key.objects.filter(pk=OuterRef("holder_id"), owner_id=OuterRef("asked_by_id"))
    asked = RaiseRequest.objects.filter(
        Q(holder_kind="owner") | Exists(their_key),
        holder_kind__in=_OF_LEADS,
        asked_by__team_membership__team_id__in=led,
    )
    return asked.exclude(asked_by=user)


def _tell_answer(asked: RaiseRequest, holder: LimitHolder | None) -> None:
    tell_answered(
        asked.pk,
        asked.asked_by,
        wanted=_wanted(asked, holder),
        is_granted=asked.state == GRANTED,
        by=asked.decided_by_name,
    )


def _wanted(asked: RaiseRequest, holder: LimitHolder | None) -> str:
    whose = "somebody who is deleted" if holder is None else holder.words
    return f"{wish_text(asked)} for {whose} until {asked.until:%Y-%m-%d}"


def _leads_of(user: Any) -> list[int]:
    teams = Membership.objects.filter(user=user).values("team_id")
    leads = Membership.objects.filter(team_id__in=teams, is_lead=True).exclude(user=user)
    return list(leads.values_list("user_id", flat=True))


def _decide(asked: RaiseRequest, state: str, by: Any) -> None:
    """Of two who decide at once one does."""
    now, name = timezone.now(), by.get_username()
    decided = RaiseRequest.objects.filter(pk=asked.pk, state=OPEN).update(
        state=state, decided_at=now, decided_by_name=name
    )
    if not decided:
        raise NotPossible("Somebody has decided this meanwhile, or it was withdrawn.")
    asked.state, asked.decided_at, asked.decided_by_name = state, now, name
