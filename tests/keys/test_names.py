"""A name in which something cannot be seen is refused at every door, and nothing is made."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.test import Client
from django.urls import reverse

from catalog.models import Alias
from keys.models import Key, Membership, Team
from management_api.models import ServiceToken
from tests.keys.factories import issued, user
from tests.keys.member.conftest import signed_in
from tests.keys.test_commands import ran
from tests.management_api.api_client import Api, new_token

pytestmark = pytest.mark.django_db

UNSEEN = "pay\u202etset"
# Django's own rule for the names of accounts takes this one.
FILLER = "ada\u3164"
TOLD = "U+202E (RIGHT-TO-LEFT OVERRIDE), at place 4"


@pytest.fixture
def operator() -> Client:
    return signed_in(user("operator", is_staff=True, is_superuser=True))


def how_many() -> list[int]:
    accounts = get_user_model().objects.exclude(username__contains="manage")
    return [each.count() for each in (Key.objects, Team.objects, accounts, ServiceToken.objects)]


@pytest.mark.parametrize(
    "words",
    [
        ("issue_key", UNSEEN, "--owner", "ada"),
        ("change_key", "KEY", "--name", UNSEEN),
        ("issue_team", UNSEEN),
        ("change_team", "research", "--rename", UNSEEN),
        ("issue_service_token", UNSEEN, "--scopes", "keys:read", "--expires", "2099-01-01"),
    ],
)
def test_by_commands(words: tuple[str, ...]) -> None:
    Team.objects.create(name="research")
    key = issued("laptop", owner=user("ada"))[0]
    before = how_many()
    with pytest.raises(CommandError) as refused:
        ran(*(str(key.pk) if word == "KEY" else word for word in words))
    assert TOLD in str(refused.value)
    assert how_many() == before
    assert (Key.objects.get().name, Team.objects.get().name) == ("laptop", "research")


def test_the_name_of_an_owner() -> None:
    with pytest.raises(CommandError, match="HANGUL FILLER"):
        ran("issue_key", "laptop", "--owner", FILLER)
    assert not Key.objects.exists() and not get_user_model().objects.exists()


def test_in_the_admin(operator: Client) -> None:
    team = {"name": UNSEEN, "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    owner = get_user_model().objects.get().pk
    account = {"username": FILLER, "usable_password": "false"}
    before = how_many()
    for page, sent, told in (
        ("keys_team_add", team, TOLD),
        ("keys_key_add", {"name": UNSEEN, "owner": owner}, TOLD),
        ("auth_user_add", account, "FILLER)"),
        ("catalog_alias_add", {"alias": UNSEEN}, TOLD),
    ):
        answer = operator.post(reverse(f"admin:{page}"), sent)
        assert answer.status_code == 200 and told in answer.content.decode(), page
    assert how_many() == before and not Alias.objects.exists()


def test_on_a_members_page_and_a_leads() -> None:
    team = Team.objects.create(name="research")
    lead, bob = user("lena"), user("bob")
    for account, is_lead in ((lead, True), (bob, False)):
        Membership.objects.create(user=account, team=team, is_lead=is_lead)
    for path in ("/keys/new/", f"/team/members/{bob.pk}/keys/new/"):
        answer = signed_in(lead).post(path, {"name": UNSEEN})
        assert answer.status_code == 200 and TOLD in answer.content.decode()
    assert not Key.objects.exists()


def test_by_the_management_api() -> None:
    api = Api(new_token()[1])
    team = Team.objects.create(name="research")
    key = issued("laptop", owner=user("ada"))[0]
    before = how_many()
    for method, path, body, pointer in (
        (api.post, "/keys/", {"name": UNSEEN, "owner": "ada"}, "#/name"),
        (api.post, "/keys/", {"name": "x", "owner": FILLER}, "#/owner"),
        (api.post, "/teams/", {"name": UNSEEN}, "#/name"),
        (api.post, "/owners/", {"username": FILLER}, "#/username"),
        (api.patch, f"/keys/{key.pk}/", {"name": UNSEEN}, "#/name"),
        (api.patch, f"/teams/{team.pk}/", {"name": UNSEEN}, "#/name"),
    ):
        answer = method(path, body)
        assert answer.status_code == 422, (path, answer.content)
        assert json.loads(answer.content)["errors"][0]["pointer"] == pointer
    assert how_many() == before


def test_what_is_older_than_the_rule_can_be_changed_and_renamed() -> None:
    key = issued("laptop", owner=user("ada"))[0]
    Key.objects.update(name=UNSEEN)
    ran("change_key", str(key.pk), "--notes", "in the hall", "--rpm", "5")
    Team.objects.create(name=UNSEEN)
    ran("change_team", UNSEEN, "--notes", "before 2027")
    ran("change_team", UNSEEN, "--rename", "payroll")
    ran("change_key", str(key.pk), "--name", "hall")
    assert (Key.objects.get().name, Team.objects.get().name) == ("hall", "payroll")
