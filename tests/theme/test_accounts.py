"""The admin of accounts: who may change members makes no operator, and becomes none."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from tests.keys.factories import user

pytestmark = pytest.mark.django_db

MOMENTS = {
    "date_joined_0": "2026-11-01",
    "date_joined_1": "00:00:00",
    "last_login_0": "",
    "last_login_1": "",
}


@pytest.fixture
def clerk():
    """Staff who may do everything with accounts and groups, and nothing else."""
    clerk = user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    return clerk


def signed_in(who):
    browser = Client()
    browser.force_login(who)
    return browser


def page(name, account):
    return reverse(f"admin:auth_user_{name}", args=[account.pk])


def role_of(account):
    account.refresh_from_db()
    return (
        account.is_staff,
        account.is_superuser,
        account.groups.count(),
        sorted(account.user_permissions.values_list("codename", flat=True)),
    )


@pytest.mark.parametrize("whose", ["clerk", "ada"])
def test_who_may_change_accounts_gives_nobody_a_role(clerk, whose):
    group = Group.objects.create(name="everything")
    account = user(whose)
    before = role_of(account)
    sent = {
        "username": whose,
        "first_name": "Ada",
        "is_active": "on",
        "is_staff": "" if account.is_staff else "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [Permission.objects.get(codename="view_capturedtext").pk],
        **MOMENTS,
    }
    assert signed_in(clerk).post(page("change", account), sent).status_code == 302
    assert role_of(account) == before
    assert account.first_name == "Ada"


def test_operators_are_out_of_the_reach_of_all_but_superusers(clerk):
    root = user("root", is_staff=True, is_superuser=True)
    other = user("other", is_staff=True)
    browser = signed_in(clerk)
    secret = {"password1": "not-so-secret-1", "password2": "not-so-secret-1"}
    for operator in (root, other):
        before = operator.password
        assert browser.get(page("change", operator)).status_code == 200  # to look at
        taken = {"username": "x", "email": "clerk@example.com", **MOMENTS}
        assert browser.post(page("change", operator), taken).status_code == 403
        changed = {**secret, "usable_password": "true"}
        asked = browser.post(page("password_change", operator), changed)
        assert asked.status_code == 403
        assert browser.post(page("delete", operator), {"post": "yes"}).status_code == 403
        operator.refresh_from_db()
        assert (operator.password, operator.email) == (before, "")
    listed = reverse("admin:auth_user_changelist")
    ada = user()
    chosen = {"action": "make_inactive", "_selected_action": [root.pk, other.pk, ada.pk]}
    assert browser.post(listed, chosen).status_code == 302
    assert [user(name).is_active for name in ("root", "other", "ada")] == [True, True, False]
    assert signed_in(root).post(listed, chosen).status_code == 302
    assert not user("other").is_active


def test_groups_are_the_superusers(clerk):
    group = Group.objects.create(name="everything")
    browser = signed_in(clerk)
    assert browser.get(reverse("admin:auth_group_changelist")).status_code == 200
    new = {"name": "mine", "permissions": []}
    assert browser.post(reverse("admin:auth_group_add"), new).status_code == 403
    for name in ("change", "delete"):
        url = reverse(f"admin:auth_group_{name}", args=[group.pk])
        assert browser.post(url, {"name": "mine", "post": "yes"}).status_code == 403
    root = signed_in(user("root", is_staff=True, is_superuser=True))
    assert root.post(reverse("admin:auth_group_add"), new).status_code == 302


def test_a_clerk_makes_members_and_their_passwords(clerk):
    browser = signed_in(clerk)
    secret = {"password1": "not-so-secret-1", "password2": "not-so-secret-1"}
    new = {"username": "bob", "usable_password": "true", **secret}
    assert browser.post(reverse("admin:auth_user_add"), new).status_code == 302
    bob = user("bob")
    assert not bob.is_staff and bob.check_password("not-so-secret-1")
    assert browser.post(page("delete", bob), {"post": "yes"}).status_code == 302
