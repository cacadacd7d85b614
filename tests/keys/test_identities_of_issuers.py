"""The migration that writes the issuer into identities of the release before, and the way back."""

import json
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tests.keys.factories import user

MIGRATION = import_module("keys.migrations.0011_identities_of_issuers")
A, B = "https://a.example", "https://b.example/realms/team"

pytestmark = pytest.mark.django_db


@pytest.fixture
def tables(db: None) -> Iterator[None]:
    """As allauth makes them, which is not installed here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE socialaccount_socialaccount (id integer PRIMARY KEY, "
            "provider varchar(200), uid varchar(191), extra_data text, user_id integer, "
            "UNIQUE (provider, uid))"
        )
        cursor.execute(
            "CREATE TABLE account_emailaddress (id integer PRIMARY KEY, email varchar(254), "
            "verified bool, user_id integer)"
        )
    yield


def identity(uid: str, provider: str = "sso", iss: str = "", user_id: int = 1) -> None:
    kept: Any = {"userinfo": {"sub": uid}, "id_token": {"iss": iss}} if iss else {"sub": uid}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO socialaccount_socialaccount (provider, uid, extra_data, user_id) "
            "VALUES (%s, %s, %s, %s)",
            [provider, uid, json.dumps(kept), user_id],
        )


def identities() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT provider, uid FROM socialaccount_socialaccount ORDER BY id")
        return list(cursor.fetchall())


def forward() -> None:
    MIGRATION.name_issuers(None, SimpleNamespace(connection=connection))


def back() -> None:
    MIGRATION.forget_issuers(None, SimpleNamespace(connection=connection))


def test_an_identity_is_the_issuer_s_that_is_configured(tables: None, settings: Any) -> None:
    settings.OIDC_ISSUER = A
    identity("1")
    forward()
    assert identities() == [(A, "1")]
    back()
    assert identities() == [("sso", "1")]


def test_what_its_token_said_counts_more(tables: None, settings: Any) -> None:
    settings.OIDC_ISSUER = B
    identity("1", iss=A + "/")
    identity("2", iss=B)
    forward()
    assert identities() == [(A, "1"), (B, "2")]
    back()
    assert identities() == [(A, "1"), ("sso", "2")]


def test_of_an_issuer_that_nobody_knows_it_stays_nobody_s_and_is_told(
    tables: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.OIDC_ISSUER = ""
    identity("1")
    identity("2", iss=A)
    forward()
    assert identities() == [("sso", "1"), (A, "2")]
    assert "1 identities of single sign-on" in capsys.readouterr().out
    back()
    assert identities() == [("sso", "1"), (A, "2")]


def test_two_releases_side_by_side_made_the_same_twice(tables: None, settings: Any) -> None:
    settings.OIDC_ISSUER = A
    identity("1")
    identity("1", provider=A)
    forward()
    assert identities() == [("sso", "1"), (A, "1")]
    back()
    assert identities() == [("sso", "1"), (A, "1")]


def test_an_unverified_address_goes_off_the_account_and_comes_back_with_the_release(
    tables: None, settings: Any
) -> None:
    settings.OIDC_ISSUER = A
    kept = {"mallory": False, "erin": True}
    for name, is_verified in kept.items():
        who = user(name, email=f"{name.title()}@example.com")
        identity(name, user_id=who.pk)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO account_emailaddress (email, verified, user_id) VALUES (%s, %s, %s)",
                [f"{name}@example.com", is_verified, who.pk],
            )
    user("operators-word", email="o@example.com")

    def addresses() -> list[str]:
        return list(get_user_model().objects.order_by("pk").values_list("email", flat=True))

    forward()
    assert addresses() == ["", "Erin@example.com", "o@example.com"]
    back()
    assert addresses() == ["mallory@example.com", "Erin@example.com", "o@example.com"]


def test_without_single_sign_on_there_is_nothing_to_do(settings: Any) -> None:
    settings.OIDC_ISSUER = A
    forward()
    back()
