"""Teams in the admin, and in the request log."""

import pytest
from django.db import connection
from django.urls import reverse

from keys.models import Membership, RequestLog, Team
from tests.keys.factories import log_row, user
from tests.keys.operators.test_admin import LOG, signed_in, texts

pytestmark = pytest.mark.django_db

LIST = "admin:keys_team_changelist"


@pytest.fixture
def operator():
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def form(name, *members):
    """What the admin's form sends for a new team with these accounts; a lead has a star."""
    sent = {
        "name": name,
        "memberships-TOTAL_FORMS": len(members),
        "memberships-INITIAL_FORMS": 0,
    }
    for number, member in enumerate(members):
        sent[f"memberships-{number}-user"] = user(member.strip("*")).pk
        if member.endswith("*"):
            sent[f"memberships-{number}-is_lead"] = "on"
    return sent


def test_an_operator_makes_a_team_with_members_and_a_lead(operator):
    operator.post(reverse("admin:keys_team_add"), form("research", "ada*", "bob"))
    shown = texts(operator.get(reverse(LIST)))
    assert "research" in shown and "ada" in shown and "bob" in shown
    leads = Membership.objects.filter(is_lead=True).values_list("user__username", flat=True)
    assert list(leads) == ["ada"]


def test_nobody_is_in_two_teams_and_no_name_is_used_twice(operator):
    operator.post(reverse("admin:keys_team_add"), form("research", "ada"))
    again = operator.post(reverse("admin:keys_team_add"), form("law", "ada"))
    assert "in another team already" in texts(again)
    again = operator.post(reverse("admin:keys_team_add"), form("research"))
    assert "There is a team of this name." in texts(again)
    assert Team.objects.count() == 1


def test_the_log_is_filtered_by_the_team_of_the_time(operator):
    team = Team.objects.create(name="research")
    log_row("of the team", team_id=team.pk, team_name="research")
    log_row("of nobody")
    page = texts(operator.get(reverse(LOG) + f"?team={team.pk}"))
    assert "of the team" in page and "of nobody" not in page
    assert "of the team" not in texts(operator.get(reverse(LOG) + "?team=x"))


def test_a_worker_of_the_release_before_still_inserts_rows():
    """It names no column that it does not know."""
    known = [field.column for field in RequestLog._meta.concrete_fields][1:]
    old = [name for name in known if name not in ("team_id", "team_name")]
    values = {field.column: 0 for field in RequestLog._meta.concrete_fields}
    values |= {"started_at": "2027-01-01T00:00:00Z", "stream": False}
    names, places = ", ".join(map(connection.ops.quote_name, old)), ", ".join(["%s"] * len(old))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO keys_requestlog ({names}) VALUES ({places})",
            [values[name] for name in old],
        )
    row = RequestLog.objects.get()
    assert (row.team_id, row.team_name) == (None, "")
