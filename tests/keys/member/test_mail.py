"""Members choose whether alerts of their own keys are mailed to them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from keys.alerting.owners import addresses

HOME, CHOOSE = "/", "/accounts/mail/"


@pytest.fixture
def ada(ada: Any, settings: Any) -> Any:
    settings.EMAIL_URL = "smtp://mail"
    ada.email = "ada@example.com"
    ada.save()
    return ada


def test_mail_is_on_until_a_member_turns_it_off(member: Client, ada: Any) -> None:
    assert "You get mail at ada@example.com" in member.get(HOME).content.decode()
    assert addresses([ada.pk]) == {ada.pk: ("ada@example.com",)}
    assert member.post(CHOOSE, {"mail": "off"})["location"] == reverse("member:home")
    assert "You get no mail about your keys" in member.get(HOME).content.decode()
    assert addresses([ada.pk]) == {}
    member.post(CHOOSE, {"mail": "on"})
    assert addresses([ada.pk]) == {ada.pk: ("ada@example.com",)}


def test_it_is_asked_only_where_mail_can_come(member: Client, ada: Any, settings: Any) -> None:
    settings.EMAIL_URL = ""
    assert CHOOSE not in member.get(HOME).content.decode()
    assert member.get(CHOOSE).status_code == 405
    assert Client().post(CHOOSE, {"mail": "off"}).status_code == 302
