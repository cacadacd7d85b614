"""A team's page: its limits and who leads it; for a lead also the members and their keys."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from keys import shown
from keys.ledger.month_totals import first_of_month, next_month
from keys.member import policy
from keys.member.own_keys import ShownKey, shown_keys
from keys.member.views import page
from keys.member.whose import OF_TEAM
from keys.models import Membership, Team
from keys.reports.budget_bars import bar_of, rate_texts
from keys.reports.limit_use import read_use
from keys.reports.limits_in_force import limits_of_one
from keys.reports.month_report import lines_of_team, month_from_text

# On one page, with all their keys.
MEMBERS_SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class ShownMember:
    user: Any
    is_lead: bool
    in_force: list[ShownKey]
    ended: int
    may_make: bool


@page
def team(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    own = Membership.objects.filter(user=user).select_related("team").first()
    if own is None:
        raise Http404("You are in no team.")
    leads = own.team.memberships.filter(is_lead=True, user__is_active=True)
    context = {
        "team": own.team,
        **_limits_shown(own.team),
        "leads": list(leads.order_by("user__username").values_list("user__username", flat=True)),
        "whose": OF_TEAM,
    }
    if own.is_lead:
        members = Paginator(policy.members_of_led_team(user), MEMBERS_SHOWN)
        chosen = members.get_page(request.GET.get("page"))
        context |= {"members": _shown_members(user, list(chosen)), "chosen": chosen}
        context |= _use(own.team, request.GET.get("month", ""))
    return render(request, "member/team.html", context)


def _limits_shown(team: Team) -> dict[str, Any]:
    uses = read_use(limits_of_one("team", team.pk))
    return {
        "bars": [bar_of(use) for use in uses if use.used is not None],
        "limits": rate_texts(uses),
    }


def _use(team: Team, asked: str) -> dict[str, Any]:
    """What the team used in a month, by member; invalid text means this month."""
    this_month = first_of_month(timezone.now().astimezone(UTC).date())
    try:
        month = min(month_from_text(asked), this_month)
    except ValueError:
        month = this_month
    lines = lines_of_team(team.pk, month)
    highest = max((line.sums["cost_nano_usd"] for line in lines), default=0)
    before = month - timedelta(days=1)
    return {
        "month": month,
        "month_before": f"{before:%Y-%m}",
        "month_after": "" if month == this_month else f"{next_month(month):%Y-%m}",
        "use": [
            (
                line.names["owner"],
                f"{line.sums['requests']:,}",
                f"{line.sums['prompt_tokens'] + line.sums['completion_tokens']:,}",
                shown.usd(line.sums["cost_nano_usd"]),
                line.sums["cost_nano_usd"] * 100 // highest if highest else 0,
            )
            for line in lines
        ],
        "used": shown.usd(sum(line.sums["cost_nano_usd"] for line in lines)),
    }


def _shown_members(lead: Any, members: list[Membership]) -> list[ShownMember]:
    users = [member.user_id for member in members]
    keys: dict[int, list[ShownKey]] = {}
    for each in shown_keys(list(policy.keys_of_led_team(lead).filter(owner_id__in=users))):
        keys.setdefault(each.key.owner_id or 0, []).append(each)
    most = policy.most_keys_of(users)
    found = []
    for member in members:
        in_force = [key for key in keys.get(member.user_id, []) if key.in_force]
        found.append(
            ShownMember(
                user=member.user,
                is_lead=member.is_lead,
                in_force=in_force,
                ended=len(keys.get(member.user_id, [])) - len(in_force),
                may_make=member.user.is_active and len(in_force) < most[member.user_id],
            )
        )
    return found
