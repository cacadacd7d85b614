import json

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError

from keys.models import Membership, Team
from tests.keys.factories import user
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db


def members(name="research"):
    [team] = [team for team in json.loads(ran("list_teams", "--json")[0]) if team["name"] == name]
    return {each["username"]: each["lead"] for each in team["members"]}


def test_a_team_is_made_once_and_stays_as_it_is():
    assert "Made the team research." in ran("issue_team", " research ", "--notes", "on physics")[0]
    shown = json.loads(ran("issue_team", "research", "--notes", "other", "--json")[0])
    assert (shown["name"], shown["notes"], shown["members"]) == ("research", "on physics", [])
    assert Team.objects.get().pk == shown["id"]
    assert LogEntry.objects.get().change_message == "Made by the command issue_team."


def test_a_team_may_use_the_reserved_neurons():
    made = json.loads(ran("issue_team", "research", "--reserve", "yes", "--json")[0])
    assert made["uses_reserve"] is True
    changed = json.loads(ran("change_team", "research", "--reserve", "no", "--json")[0])
    assert changed["uses_reserve"] is False
    told = LogEntry.objects.latest("pk").change_message
    assert told.startswith("use of the reserved neurons: True → False")
    assert "nothing" in ran("change_team", "research", "--reserve", "no")[0].lower()


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "n\0l", "x" * 121])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(CommandError, match="NAME: "):
        ran("issue_team", name)


def test_members_join_lead_and_leave():
    for name in ("ada", "bob", "carol"):
        user(name)
    ran("issue_team", "research")
    ran("team_members", "research", "--add", "ada", "--add", "bob", "--lead", "carol")
    assert members() == {"ada": False, "bob": False, "carol": True}
    # What is so already stays so: carol remains lead.
    ran("team_members", "research", "--add", "carol", "--lead", "ada", "--remove", "bob")
    assert members() == {"ada": True, "carol": True}
    changes = LogEntry.objects.count()
    out, _ = ran("team_members", "research", "--remove", "bob", "--add", "ada")
    assert LogEntry.objects.count() == changes
    assert out.split() == ["ada", "lead", "carol", "lead"]
    ran("team_members", "research", "--no-lead", "ada")
    assert members() == {"ada": False, "carol": True}
    assert ran("list_teams")[0] == "research  ada carol*\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["physics"], r"no team 'physics'"),
        (["law", "--add", "nobody"], r"--add is 'nobody': there is no account"),
        (["law", "--remove", "nobody"], r"--remove is 'nobody': there is no account"),
        (["law", "--add", "bob", "--lead", "ada"], r"--lead is 'ada': ada is in the team research"),
        (["law", "--no-lead", "ada"], r"--no-lead is 'ada': not a member of law"),
    ],
)
def test_what_is_not_possible_is_said_and_changes_nothing(arguments, said):
    user("bob")
    ran("issue_team", "law")
    Membership.objects.create(user=user("ada"), team=Team.objects.create(name="research"))
    with pytest.raises(CommandError, match=said):
        ran("team_members", *arguments)
    assert members("law") == {}
    assert members("research") == {"ada": False}
