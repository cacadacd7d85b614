"""Commands and forms that make or delete something, sent at the same moment, on both engines.

On PostgreSQL this file is a program: it makes its own attempts on the database of DATABASE_URL and
prints what came of them.
"""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import django
import pytest

if __name__ == "__main__":
    django.setup()

# Models can be imported only now.
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from catalog.models import Alias, CatalogModel
from keys.access.key_index import ensure_static_key
from keys.member.claims import Groups
from keys.member.given_by_groups import apply_groups
from keys.models import (
    GivenRole,
    Key,
    Limit,
    Membership,
    PruneMark,
    Raise,
    RaiseRequest,
    Team,
)
from keys.raise_requests import limits_to_raise
from keys.sent_forms import NAME_OF_TOKEN
from tests.keys.engines import finished, postgres_server
from tests.keys.operators.test_limit_tables import of_key, page_of, table

AT_ONCE: Final = 4


def at_once(work: Callable[[int], Any]) -> list[str]:
    """What each of several said that began together: nothing, or its failure."""
    barrier = threading.Barrier(AT_ONCE)

    def one(number: int) -> str:
        try:
            barrier.wait(30)
            answer = work(number)
            # A form that shows an error is a page; one that is saved leads on.
            return "refused" if getattr(answer, "status_code", 302) == 200 else ""
        except CommandError:
            return "refused"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def ran(*words: str) -> None:
    call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())


def new_owner() -> tuple[list[str], list[int]]:
    """Keys for an owner, and history under an account, that nobody has made yet."""
    name = "newcomer"
    failures = at_once(lambda number: ran("issue_key", f"key {number}", "--owner", name))
    users = get_user_model().objects
    keys = Key.objects.filter(owner__username=name).count()
    return failures, [users.filter(username__in=[name, "manage.py"]).count(), keys]


def new_alias() -> tuple[list[str], list[int]]:
    model, _ = CatalogModel.objects.get_or_create(name="@cf/meta/llama")
    name = "alias"
    failures = at_once(lambda number: ran("alias_model", name, model.name))
    return failures, [Alias.objects.filter(alias=name).count()]


def shared_key() -> tuple[list[str], list[int]]:
    Key.objects.filter(is_static=True).delete()
    failures = at_once(lambda number: ensure_static_key())
    return failures, [Key.objects.filter(is_static=True).count()]


def first_pruning() -> tuple[list[str], list[int]]:
    PruneMark.objects.all().delete()
    failures = at_once(lambda number: PruneMark.move_to(timezone.now()))
    return failures, [PruneMark.objects.count()]


def browsers(name: str, **fields: Any) -> tuple[Any, list[Client]]:
    """A browser for each, all signed in to one account."""
    account, _ = get_user_model().objects.get_or_create(username=name, defaults=fields)
    each = [Client() for _ in range(AT_ONCE)]
    for browser in each:
        browser.force_login(account)
    return account, each


def operators() -> list[Client]:
    return browsers("operator", is_staff=True, is_superuser=True)[1]


def any_key(name: str = "any") -> Key:
    owner, _ = get_user_model().objects.get_or_create(username=name)
    return Key.issue(name=name, owner=owner, requests_per_minute=5)[0]


def same_limit() -> tuple[list[str], list[int]]:
    """By two forms, which tell that it is there, and by two commands, which find it so."""
    key, browser = any_key(), operators()
    sent = of_key(key, **table("key", ("20", "rpm", "@cf/a/*")))
    words = ("change_key", str(key.pk), "--limit", "rpm=20 @cf/a/*")
    said = at_once(
        lambda number: ran(*words) if number % 2 else browser[number].post(page_of(key), sent)
    )
    return sorted(said), [Limit.objects.filter(holder_kind="key", holder_id=key.pk).count()]


def same_team() -> tuple[list[str], list[int]]:
    name, browser = "team", operators()
    sent = {"name": name, "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    said = at_once(lambda number: browser[number].post("/admin/keys/team/add/", sent))
    return sorted(said), [Team.objects.filter(name=name).count()]


def same_name() -> tuple[list[str], list[int]]:
    teams = [Team.objects.create(name=f"old {number}") for number in range(AT_ONCE)]
    name = "new"
    said = at_once(lambda number: ran("change_team", teams[number].name, "--rename", name))
    return sorted(said), [Team.objects.filter(name=name).count()]


def same_member() -> tuple[list[str], list[int]]:
    teams = [Team.objects.create(name=f"mine {number}") for number in range(AT_ONCE)]
    account, browser = browsers("moved")[0], operators()

    def join(number: int) -> Any:
        if number % 2:
            return ran("team_members", teams[number].name, "--add", account.username)
        at = "memberships"
        sent = {"name": teams[number].name, f"{at}-TOTAL_FORMS": 1, f"{at}-INITIAL_FORMS": 0}
        sent |= {f"{at}-0-user": account.pk, f"{at}-0-team": teams[number].pk}
        return browser[number].post(page_of(teams[number]), sent)

    return sorted(at_once(join)), [Membership.objects.filter(user=account).count()]


def same_account() -> tuple[list[str], list[int]]:
    name, browser = "account", operators()
    sent = {"username": name, "usable_password": "false"}
    said = at_once(lambda number: browser[number].post("/admin/auth/user/add/", sent))
    return sorted(said), [get_user_model().objects.filter(username=name).count()]


def same_sign_on() -> tuple[list[str], list[int]]:
    account, _ = browsers("signed on")
    users = get_user_model().objects
    with override_settings(OIDC_OPERATOR_GROUPS=["operators"], OIDC_TEAM_GROUPS=["operators"]):
        said = at_once(
            lambda number: apply_groups(
                users.get(pk=account.pk), Groups(frozenset({"operators"}), True)
            )
        )
    roles = GivenRole.objects.filter(user=account).count()
    return said, [roles, Membership.objects.filter(user=account).count()]


def asked_twice() -> tuple[list[str], list[int]]:
    """One form, sent several times; the operator's too, which would add up."""
    account, browser = browsers("asking")
    key = any_key(account.username)
    [limit] = limits_to_raise(key)
    day = f"{timezone.now() + timedelta(days=3):%Y-%m-%d}"
    wish = {"limit": limit, "more": "5", "last_day": day, "why": "launch"}
    page = reverse("member:ask", args=[key.pk])
    said = sent_at_once(browser, page, wish)
    wish = {"whose": f"key:{key.pk}", "wish": "rpm=+20", "last_day": day, "reason": "launch"}
    said += sent_at_once(operators(), "/admin/keys/raise/add/", wish)
    raises = Raise.objects.filter(holder_kind="key", holder_id=key.pk)
    return said, [account.raise_requests.count(), raises.count()]


def sent_at_once(browser: list[Client], page: str, fields: dict[str, str]) -> list[str]:
    shown = browser[0].get(page).content.decode()
    token = shown.partition(f'{NAME_OF_TOKEN}" value="')[2].partition('"')[0]
    sent = {**fields, NAME_OF_TOKEN: token}
    return at_once(lambda number: browser[number].post(page, sent))


def answered_twice() -> tuple[list[str], list[int]]:
    account, browser = browsers("asked")[0], operators()
    key = any_key(account.username)
    asked = RaiseRequest.objects.create(
        holder_kind="key", holder_id=key.pk, what="requests", window="minute", plus=5,
        until=timezone.now() + timedelta(days=1), why="launch", asked_by=account,
    )  # fmt: skip
    page = f"/admin/keys/raiserequest/{asked.pk}/grant/"
    said = at_once(lambda number: browser[number].post(page))
    return said, [Raise.objects.filter(holder_kind="key", holder_id=key.pk).count()]


def changed_and_deleted() -> tuple[list[str], list[int]]:
    """Nothing comes back, and nothing is left behind."""
    key, browser = any_key(), operators()
    words = ("change_key", str(key.pk), "--limit", "rpm=20 @cf/a/*")
    sent = of_key(key, name="changed", **table("key", ("20", "rpm", "@cf/b/*")))
    page = f"/admin/keys/key/{key.pk}/delete/"
    said = at_once(
        lambda number: [
            lambda: ran(*words),
            lambda: browser[1].post(page, {"post": "yes"}),
            lambda: browser[2].post(page_of(key), sent),
            lambda: browser[3].post(page_of(key), of_key(key, name="changed")),
        ][number]()
    )
    left = [
        Key.objects.filter(pk=key.pk),
        Limit.objects.filter(holder_id=key.pk, holder_kind="key"),
    ]
    # The command may come before or after.
    return ["" if each == "refused" else each for each in said], [each.count() for each in left]


ONE: Final = ["", *["refused"] * (AT_ONCE - 1)]
ALL: Final = [""] * AT_ONCE
CASES: Final = {
    "an owner": (new_owner, ALL, [2, AT_ONCE]),
    "an alias": (new_alias, ALL, [1]),
    "the shared key's row": (shared_key, ALL, [1]),
    "the mark of pruning": (first_pruning, ALL, [1]),
    "a limit": (same_limit, None, [1]),
    "a team": (same_team, ONE, [1]),
    "a team's new name": (same_name, ONE, [1]),
    "a member of several teams": (same_member, ONE, [1]),
    "an account": (same_account, ONE, [1]),
    "a sign-on's role and team": (same_sign_on, ALL, [1, 1]),
    "a form that was sent several times": (asked_twice, ALL * 2, [1, 1]),
    "a raise that several grant": (answered_twice, ALL, [1]),
    "a key that is deleted meanwhile": (changed_and_deleted, ALL, [0, 0]),
}


@pytest.fixture(scope="module")
def postgres_says() -> Iterator[dict[str, Any]]:
    with postgres_server(migrated=True) as url:
        environment = {"DJANGO_SETTINGS_MODULE": "proxysite.settings", "DATABASE_URL": url}
        # Its requests come without a proxy before it, for the host of Django's test client.
        environment |= {"HTTPS": "off", "ALLOWED_HOSTS": "testserver"}
        told = finished("tests.keys.test_at_once", environment)
        assert told.returncode == 0, told.stdout
        yield json.loads(told.stdout)


@pytest.mark.parametrize("what", CASES)
def test_on_postgresql_each_has_what_it_asked_for(postgres_says: dict[str, Any], what: str) -> None:
    assert_each_has_it(what, *postgres_says[what])


# There a transaction begins with the lock that keeps all others out, so these tell for the rest.
@pytest.mark.parametrize("what", ["an owner", "the shared key's row", "a limit"])
@pytest.mark.django_db(transaction=True)
def test_on_sqlite_each_has_what_it_asked_for(what: str) -> None:
    assert_each_has_it(what, *CASES[what][0]())


def assert_each_has_it(what: str, said: list[str], made: list[int]) -> None:
    _, expected, left = CASES[what]
    assert made == left
    if expected is None:
        # Who comes first is not told; who comes later, a command or a form, finds it there.
        assert {*said} <= {"", "refused"}
    else:
        assert said == expected


if __name__ == "__main__":
    made = {what: case() for what, (case, *_) in CASES.items()}
    json.dump(made, sys.stdout)
