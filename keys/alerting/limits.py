"""Limits that are nearly or wholly used: 80, 95 and 100 %, or one that has refused a request."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from alerts.findings import CRITICAL, WARNING, Finding, Holder
from keys.access import reserve
from keys.alerting.limit_use import LimitUse, limit_uses
from keys.alerting.owners import addresses
from keys.alerting.pages import (
    own_home,
    own_page_of_key,
    page_of_key,
    page_of_owner_limits,
    page_of_team,
)
from keys.amounts import MICRO
from keys.held_limits import Subject, What
from keys.ledger.windows import Window
from keys.limit_texts import amount_text, kind_text
from keys.limits.budget_refusals import BudgetRefusal
from keys.models import Key, Membership, Team
from keys.scopes import HolderKind

STEPS: Final = (100, 95, 80)


def find(now: datetime) -> Iterator[Finding]:
    near = [use for use in limit_uses(now) if use.percent >= STEPS[-1]]
    holders = _read_holders(use.limit.subject for use in near)
    for use in near:
        told = holders.get(use.limit.subject)
        if told is not None:
            step = next(step for step in STEPS if use.percent >= step)
            yield _finding(use, told, step, now.astimezone(UTC).date())


def refused(refusals: Iterable[BudgetRefusal]) -> Iterator[Finding]:
    """Limits that have refused a request and are nearly used: a request that was too large for a
    limit with room is no news of the limit."""
    near = [
        (LimitUse(each.limit, each.limit.amount - each.left, each.user), each.day)
        for each in refusals
        if each.limit.amount > 0
    ]
    near = [(use, day) for use, day in near if use.percent >= STEPS[-1]]
    holders = _read_holders(use.limit.subject for use, _ in near)
    for use, day in near:
        told = holders.get(use.limit.subject)
        if told is not None:
            yield _finding(use, told, STEPS[0], day, is_refusal=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """How a holder is named, and who is told besides the operators."""

    words: str
    holder: Holder
    admin_path: str = ""
    owner_path: str = ""
    mail_to: tuple[str, ...] = ()


def _finding(
    use: LimitUse, told: _Told, step: int, today: date, is_refusal: bool = False
) -> Finding:
    subject, amount = use.limit.subject, use.limit.amount
    what = kind_text(subject.what, subject.window)
    on = f" for {', '.join(subject.models)}" if subject.models else ""
    whose = f"The user {use.user} of {told.words}" if use.user else told.words
    used, limit = amount_text(subject.what, use.used), amount_text(subject.what, amount)
    raised = " (raised)" if use.limit.is_raised else ""
    share = "all" if use.percent >= 100 else f"{use.percent}%"
    has_used = f"has used {share} of its {what}{on}"
    if is_refusal and use.percent < 100:
        has_used = f"was refused a request by its {what}{on}, used or set aside to {share}"
    holder = Holder("user", use.user, told.holder.id) if use.user else told.holder
    return Finding(
        event="limit",
        series=series_of(subject, amount, today, use.user),
        level=step,
        severity=CRITICAL if step >= 100 else WARNING,
        text=f"{whose[0].upper()}{whose[1:]} {has_used}: {used} of {limit}{raised}."
        f"{_anew(subject, today)}",
        holder=holder,
        figures={
            "limit": what,
            "what": subject.what,
            "window": subject.window,
            "used": _number(subject.what, use.used),
            "amount": _number(subject.what, amount),
            "percent": use.percent,
            **({"models": list(subject.models)} if subject.models else {}),
        },
        admin_path=told.admin_path,
        owner_path=told.owner_path,
        mail_to=told.mail_to,
    )


def _number(what: What, amount: int) -> float:
    """In USD, neurons, tokens or requests."""
    return amount / {"usd": 10**9, "neurons": MICRO}.get(what, 1)


def series_of(subject: Subject, amount: int, today: date, user: str = "") -> str:
    """Names limit, amount and window: a limit that is raised is told of anew."""
    begin = Window(subject.window).begin(today)
    place = f"{subject.holder_kind}:{subject.holder_id}:{subject.what}:{subject.window}:{begin}"
    return f"limit:{place}:{amount}:{','.join(subject.models)}:{user}"


def _anew(subject: Subject, today: date) -> str:
    end = Window(subject.window).end(today)
    return "" if end is None else f" It begins anew on {end}, 00:00 UTC."


def _read_holders(subjects: Iterable[Subject]) -> dict[Subject, _Told]:
    """Those that still exist."""
    ids: dict[HolderKind, set[int]] = defaultdict(set)
    wanted = set(subjects)
    for subject in wanted:
        ids[subject.holder_kind].add(subject.holder_id)
    keys = {k.pk: k for k in _some(Key.objects.select_related("owner"), ids["key"] | ids["user"])}
    accounts = {a.pk: a for a in _some(get_user_model().objects.all(), ids["owner"])}
    teams = {t.pk: t for t in _some(Team.objects.all(), ids["team"])}
    leads = _leads(teams)
    mail = addresses(
        [
            *accounts,
            *(k.owner_id for k in keys.values()),
            *(pk for each in leads.values() for pk in each),
        ]
    )
    found: dict[Subject, _Told] = {}
    for subject in wanted:
        kind, pk = subject.holder_kind, subject.holder_id
        if kind in ("key", "user") and pk in keys:
            found[subject] = _of_key(keys[pk], mail)
        elif kind == "owner" and pk in accounts:
            name = accounts[pk].get_username()
            found[subject] = _Told(
                f"{name}, with all keys,",
                Holder("owner", name, pk),
                page_of_owner_limits(pk),
                own_home(),
                mail.get(pk, ()),
            )
        elif kind == "team" and pk in teams:
            to = tuple(address for lead in leads.get(pk, ()) for address in mail.get(lead, ()))
            team = teams[pk]
            found[subject] = _Told(
                f"the team {team.name}",
                Holder("team", team.name, pk),
                page_of_team(pk),
                own_home(),
                to,
            )
        elif kind == "everybody":
            words = reserve.whose(subject) or "everybody together"
            found[subject] = _Told(words, Holder("everybody", "everybody"))
    return found


def _of_key(key: Key, mail: dict[int, tuple[str, ...]]) -> _Told:
    whose = f" of {key.owner}" if key.owner else ""
    return _Told(
        f"the key {key.name}{whose}",
        Holder("key", key.name, key.pk),
        page_of_key(key.pk),
        own_page_of_key(key.pk),
        mail.get(key.owner_id or 0, ()),
    )


def _some(rows: QuerySet[Any], ids: set[int]) -> Iterable[Any]:
    return rows.filter(pk__in=ids) if ids else ()


def _leads(team_ids: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    leads = Membership.objects.filter(team_id__in=list(team_ids), is_lead=True)
    for team_id, user_id in leads.values_list("team_id", "user_id"):
        found[team_id].append(user_id)
    return found
