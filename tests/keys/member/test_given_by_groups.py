"""What a person's groups give their account at a sign-on, and take away; and who stays away."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.utils import timezone

from keys.member.claims import Groups
from keys.member.given_by_groups import apply_groups
from keys.models import GivenRole, Key, Membership, Team
from tests.keys.factories import issued, user
from tests.keys.test_commands import ran

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def of_groups(settings: Any) -> None:
    settings.OIDC_OPERATOR_GROUPS = ["platform", "oncall"]
    settings.OIDC_TEAM_GROUPS = ["ai-users=research", "law"]
    settings.LEAVER_KEYS = "keep"


def signs_on(*groups: str, name: str = "ada", are_known: bool = True) -> tuple[bool, str]:
    """Whether the account is an operator now, and its team."""
    account = user(name)
    apply_groups(account, Groups(frozenset(groups), are_known))
    account = get_user_model().objects.get(username=name)
    assert account.is_staff == account.is_superuser
    membership = Membership.objects.filter(user=account).first()
    return account.is_superuser, membership.team.name if membership else ""


def test_role_and_team_come_and_go_with_the_groups() -> None:
    assert signs_on("platform", "ai-users", "others") == (True, "research")
    assert signs_on("law", "oncall") == (True, "law")
    assert signs_on("law") == (False, "law")
    assert signs_on("platform") == (True, "")
    assert signs_on() == (False, "")
    # Both groups of teams: the first of the setting counts.
    assert signs_on("law", "ai-users") == (False, "research")
    told = " ".join(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    for words in (
        "Operator, by the group platform at a sign-on.",
        "No longer operator",
        "Removed ada",
    ):
        assert words in told


def test_names_of_groups_are_exact() -> None:
    assert signs_on("Platform", "platform ", "plat", "research", "LAW") == (False, "")


@pytest.mark.parametrize("known", [True, False])
def test_what_was_made_by_hand_stays(known: bool) -> None:
    user("root", is_staff=True, is_superuser=True)
    Membership.objects.create(user=user("ada"), team=Team.objects.create(name="physics"))
    assert signs_on(name="root", are_known=known)[0]
    # Also of those who were in a group meanwhile.
    assert signs_on("platform", name="root")[0] and signs_on(name="root")[0]
    assert signs_on(are_known=known) == (False, "physics")
    assert signs_on("law") == (False, "law")


def test_staff_by_hand_is_again_what_it_was() -> None:
    clerk = user("clerk", is_staff=True)
    apply_groups(clerk, Groups(frozenset(["platform"])))
    assert clerk.is_superuser
    apply_groups(clerk, Groups(frozenset()))
    clerk.refresh_from_db()
    assert (clerk.is_staff, clerk.is_superuser) == (True, False)
    assert not GivenRole.objects.exists()


def test_a_claim_that_cannot_be_read_ends_the_role_and_no_key(settings: Any) -> None:
    settings.LEAVER_KEYS = "revoke"
    issued()
    signs_on("platform", "law")
    assert signs_on(are_known=False) == (False, "")
    assert not Key.objects.exclude(revoked_at=None).exists()


@pytest.mark.parametrize(("keys", "left"), [("keep", 1), ("revoke", 0)])
def test_the_keys_of_who_left_all_groups(settings: Any, keys: str, left: int) -> None:
    settings.LEAVER_KEYS = keys
    issued()
    issued("somebody else's", owner=user("bob"))
    # Who was never in a group has left none.
    signs_on()
    signs_on("ai-users", "platform")
    signs_on("law")
    assert Key.objects.filter(owner__username="ada", revoked_at=None).count() == 1
    signs_on()
    assert Key.objects.filter(owner__username="ada", revoked_at=None).count() == left
    assert Key.objects.filter(owner__username="bob", revoked_at=None).exists()


# --- deactivate_absent ----------------------------------------------------------------------------


def account(name: str, days_ago: int | None, **fields: Any) -> None:
    now = timezone.now()
    made = user(name, date_joined=now - timedelta(days=400), **fields)
    made.last_login = None if days_ago is None else now - timedelta(days=days_ago)
    made.save()


def active() -> set[str]:
    return set(get_user_model().objects.filter(is_active=True).values_list("username", flat=True))


def test_accounts_that_stayed_away_are_made_inactive(settings: Any) -> None:
    account("here", 10)
    account("away", 31)
    account("app", None)
    account("root", 100, is_staff=True, is_superuser=True)
    account("was-operator", 100)
    apply_groups(user("was-operator"), Groups(frozenset(["platform"])))
    issued(owner=user("away"))
    get_user_model().objects.filter(username="ada").delete()
    before = active()
    out, _ = ran("deactivate_absent", "--days", "30", "--dry-run")
    assert active() == before and "away would be made inactive" in out
    settings.LEAVER_KEYS = "revoke"
    out, _ = ran("deactivate_absent", "--days", "30")
    assert active() == {"here", "app", "root"}
    assert "root stays" in out and "1 key revoked" in out and "2 accounts made inactive." in out
    assert Key.objects.get().revoked_at is not None
    ran("deactivate_absent", "--days", "30", "--never-signed-in")
    assert active() == {"here", "root"}
    assert "0 accounts" in ran("deactivate_absent", "--days", "30")[0]


@pytest.mark.parametrize("days", ["0", "-1", "x", "", "1e3", "99999999999"])
def test_days_that_are_none_are_refused(days: str) -> None:
    account("away", 31)
    with pytest.raises(CommandError, match="--days is "):
        ran("deactivate_absent", f"--days={days}")
    assert "away" in active()
