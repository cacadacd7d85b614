"""Guessing passwords ends soon, at the admin's page as at the members', and tells nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from proxysite import login_throttle
from proxysite.login_throttle import TooManySignIns, begin_try, counts_of, take_back
from proxysite.models import FailedSignIns

RIGHT = "the right password"
PAGE = "/admin/login/"


@pytest.fixture
def operator(db: None) -> Any:
    return get_user_model().objects.create_superuser("operator", password=RIGHT)


def sign_in(name: str = "operator", password: str = "wrong", address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post(PAGE, {"username": name, "password": password})


def passes(name: str, address: str) -> bool:
    try:
        begin_try(counts_of(name, address))
    except TooManySignIns:
        return False
    return True


def test_the_sixth_wrong_password_is_refused_and_so_is_the_right_one(operator: Any) -> None:
    assert [sign_in().status_code for _ in range(6)] == [200] * 5 + [429]
    refused = sign_in(password=RIGHT)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 300
    assert "Wait 5 minutes" in refused.content.decode()
    assert refused["Content-Security-Policy"]


def test_an_account_that_does_not_exist_is_refused_in_the_same_way(operator: Any) -> None:
    known = [sign_in("operator") for _ in range(6)]
    unknown = [sign_in("nobody", address="192.0.2.2") for _ in range(6)]
    assert [r.status_code for r in known] == [r.status_code for r in unknown]
    assert known[-1].content == unknown[-1].content


def test_others_are_not_kept_out(operator: Any) -> None:
    for _ in range(6):
        sign_in()
    assert sign_in(password=RIGHT, address="198.51.100.7").status_code == 302
    assert sign_in("somebody else").status_code == 200


def test_the_right_password_takes_back_what_was_counted(operator: Any) -> None:
    for _ in range(4):
        sign_in()
    assert sign_in(password=RIGHT).status_code == 302
    assert [sign_in().status_code for _ in range(6)] == [200] * 5 + [429]


def test_signing_in_does_not_forgive_guesses_at_other_accounts(operator: Any) -> None:
    for number in range(19):
        assert passes(f"name {number}", "192.0.2.1")
    assert sign_in(password=RIGHT).status_code == 302
    assert passes("one more", "192.0.2.1")
    assert not passes("and another", "192.0.2.1")


def test_one_address_cannot_go_through_many_names(db: None) -> None:
    assert [passes(f"name {n}", "192.0.2.1") for n in range(21)] == [True] * 20 + [False]


def test_many_addresses_cannot_share_the_guessing_at_one_account(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "OF_ACCOUNT", 7)
    assert [passes("ada", f"192.0.2.{n}") for n in range(8)] == [True] * 7 + [False]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ADA", "192.0.2.1"),
        (" ada ", "192.0.2.1"),
        ("ａｄａ", "192.0.2.1"),
        ("ada", "::ffff:192.0.2.1"),
    ],
)
def test_the_same_account_and_address_in_another_spelling(name: str, address: str) -> None:
    assert counts_of(name, address) == counts_of("ada", "192.0.2.1")


def test_an_ipv6_network_is_one_address() -> None:
    assert counts_of("ada", "2001:db8::1") == counts_of("ada", "2001:db8::2:1")
    assert counts_of("ada", "2001:db8::1") != counts_of("ada", "2001:db8:0:1::1")


@pytest.mark.parametrize("address", ["", "unix:", "\udcff", "fe80::1%eth0"])
def test_any_text_is_taken_for_an_address(db: None, address: str) -> None:
    assert passes("\ud800", address)


def test_a_window_ends_and_takes_its_row_along(db: None) -> None:
    counts, now = counts_of("ada", "192.0.2.1"), timezone.now()
    for _ in range(5):
        begin_try(counts, now)
    with pytest.raises(TooManySignIns):
        begin_try(counts, now + timedelta(seconds=299))
    begin_try(counts, now + timedelta(seconds=300))
    assert {row.count for row in FailedSignIns.objects.all()} == {1}
    begin_try(counts_of("bob", "192.0.2.2"), now + timedelta(hours=2))
    assert FailedSignIns.objects.count() == 3


def test_a_refusal_does_not_make_the_wait_longer(db: None) -> None:
    counts, now = counts_of("ada", "192.0.2.1"), timezone.now()
    for _ in range(5):
        begin_try(counts, now)
    for _ in range(3):
        with pytest.raises(TooManySignIns) as refused:
            begin_try(counts, now + timedelta(seconds=100))
        assert refused.value.retry_after_s == 200


def test_typed_names_are_not_kept(db: None) -> None:
    begin_try(counts_of("my-secret-password", "192.0.2.1"))
    assert "secret" not in str(list(FailedSignIns.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_tries_at_once_share_one_count(
    run_on_threads: Callable[[Callable[[int], bool], int], list[bool]],
) -> None:
    passed = run_on_threads(lambda _: passes("ada", "192.0.2.1"), 12)
    assert sum(passed) == 5


def test_taking_back_never_goes_below_nothing(db: None) -> None:
    counts = counts_of("ada", "192.0.2.1")
    begin_try(counts)
    take_back(counts)
    take_back(counts)
    assert {row.count for row in FailedSignIns.objects.all()} == {0}
