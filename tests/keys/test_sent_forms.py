"""A form that makes something makes one: by two clicks, by a reload, by many at once."""

import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.test import Client, RequestFactory
from django.utils import timezone

from keys.models import Key, KeySecret, SentForm
from keys.sent_forms import KEPT, SentBefore, take_form
from tests.gateway import GatewayProcess
from tests.keys.factories import issued, user
from tests.keys.member.conftest import signed_in
from tests.keys.member.test_keys import shown_key, texts

NEW, ADD = "/keys/new/", "/admin/keys/key/add/"
MADE_BEFORE = "This form was sent before"


def drawn(browser: Client, path: str) -> dict[str, str]:
    """The fields of the page's form that a browser fills in by itself."""
    page = browser.get(path).content.decode()
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


@pytest.fixture
def member(db: None) -> Client:
    return signed_in(user("ada"), enforce_csrf_checks=True)


@pytest.fixture
def operator(db: None) -> Client:
    who = user("operator", is_staff=True, is_superuser=True)
    return signed_in(who, enforce_csrf_checks=True)


def test_a_form_sent_twice_makes_one_key_and_says_what_to_do(member: Client) -> None:
    form = {**drawn(member, NEW), "name": "laptop"}
    text = shown_key(member.post(NEW, form))
    again = member.post(NEW, form, follow=True)
    key = Key.objects.get()
    assert again.redirect_chain == [(f"/keys/{key.pk}/", 302)]
    assert MADE_BEFORE in texts(again) and "rotate the key" in texts(again)
    assert text not in again.content.decode()
    assert LogEntry.objects.count() == 1


def test_the_page_drawn_anew_makes_another(member: Client) -> None:
    for _ in range(2):
        shown_key(member.post(NEW, {**drawn(member, NEW), "name": "laptop"}))
    assert Key.objects.count() == 2


def test_what_is_written_anew_into_the_same_page_is_another_form(member: Client) -> None:
    page = drawn(member, NEW)
    for name in ("laptop", "phone"):
        shown_key(member.post(NEW, {**page, "name": name}))
    assert Key.objects.count() == 2


def test_a_form_that_made_nothing_may_be_sent_again(member: Client, settings: Any) -> None:
    settings.MEMBER_MAX_KEYS = 0
    form = {**drawn(member, NEW), "name": "laptop"}
    assert member.post(NEW, form).status_code == 302
    settings.MEMBER_MAX_KEYS = 5
    shown_key(member.post(NEW, form))


def test_a_key_that_is_gone_since_leads_home(member: Client) -> None:
    form = {**drawn(member, NEW), "name": "laptop"}
    member.post(NEW, form)
    Key.objects.all().delete()
    again = member.post(NEW, form, follow=True)
    assert again.redirect_chain == [("/", 302)] and MADE_BEFORE in texts(again)
    assert not Key.objects.exists()


def test_rotating_twice_by_one_form_gives_one_secret(member: Client) -> None:
    key, _ = issued()
    path = f"/keys/{key.pk}/rotate/"
    form = {**drawn(member, path), "overlap": "1h"}
    shown_key(member.post(path, form))
    assert MADE_BEFORE in texts(member.post(path, form, follow=True))
    assert key.secrets.count() == 2


def test_the_admin_s_forms_make_one_too(operator: Client) -> None:
    owner = user("ada")
    form = {**drawn(operator, ADD), "name": "laptop", "owner": str(owner.pk)}
    shown_key(operator.post(ADD, form))
    again = operator.post(ADD, form, follow=True)
    key = Key.objects.get()
    assert again.redirect_chain == [(f"/admin/keys/key/{key.pk}/change/", 302)]
    assert MADE_BEFORE in texts(again)
    path = f"/admin/keys/key/{key.pk}/rotate/"
    form = {**drawn(operator, path), "overlap": "1h"}
    shown_key(operator.post(path, form))
    assert MADE_BEFORE in texts(operator.post(path, form, follow=True))
    assert KeySecret.objects.count() == 2


def request_with(token: str) -> Any:
    return RequestFactory().post(NEW, {"csrfmiddlewaretoken": token, "name": "x"})


def test_a_script_with_the_cookie_s_own_token_makes_as_many_as_it_asks_for(db: None) -> None:
    for token in ("c" * 32, "", "x"):
        for _ in range(2):
            take_form(request_with(token)).made(1)
    assert not SentForm.objects.exists()


def test_forms_are_remembered_for_weeks_and_not_for_ever(db: None) -> None:
    take_form(request_with("a" * 64)).made(7)
    SentForm.objects.update(sent_at=timezone.now() - KEPT + timedelta(days=1))
    with pytest.raises(SentBefore) as before:
        take_form(request_with("a" * 64))
    assert before.value.made_id == 7
    SentForm.objects.update(sent_at=timezone.now() - KEPT - timedelta(days=1))
    take_form(request_with("b" * 64))
    assert SentForm.objects.count() == 1


def test_of_many_sendings_at_once_one_makes_a_key(gateway: GatewayProcess) -> None:
    name = f"member-{uuid.uuid4().hex[:8]}"
    who = gateway.database(lambda: user(name))
    session = gateway.session_of(who)
    with browser_of(gateway, session) as http:
        page = http.get(NEW).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w{64})"', page)
        assert token
        cookies = dict(http.cookies)
    form = {"csrfmiddlewaretoken": token[1], "name": "laptop"}
    ready = threading.Barrier(6)

    def click(_: int) -> str:
        with httpx.Client(base_url=gateway.url, cookies=cookies, timeout=60) as http:
            ready.wait(30)
            return http.post(NEW, data=form, follow_redirects=True).text

    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(click, range(6)))
    assert gateway.database(Key.objects.filter(owner=who).count) == 1
    assert sum("Your new key" in page for page in pages) == 1
    assert sum(MADE_BEFORE in page for page in pages) == 5


def browser_of(gateway: GatewayProcess, session: str) -> httpx.Client:
    cookies = {settings.SESSION_COOKIE_NAME: session}
    return httpx.Client(base_url=gateway.url, cookies=cookies, timeout=60)


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_second_waits_for_what_the_first_makes(
    run_on_threads: Callable[[Callable[[int], Any], int], list[Any]],
) -> None:
    def send(number: int) -> Any:
        try:
            with transaction.atomic():
                take_form(request_with("a" * 64)).made(7)
                return "made"
        except SentBefore as before:
            return before.made_id

    assert sorted(map(str, run_on_threads(send, 4))) == ["7", "7", "7", "made"]
