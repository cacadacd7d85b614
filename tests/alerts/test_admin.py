"""The list of alerts: who sees what, and the one click that acknowledges."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse, reverse_lazy

from alerts import store
from alerts.models import Alert, Delivery
from tests.alerts.messages import finding
from tests.alerts.receivers import Receiver

LIST = reverse_lazy("admin:alerts_alert_changelist")
pytestmark = pytest.mark.django_db


def signed_in(*permissions: str) -> Client:
    account = get_user_model().objects.create_user("op", is_staff=True)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(account)
    return client


@pytest.fixture
def alert(receiver: Receiver) -> Alert:
    told = store.tell(finding(text="<b>85%</b> of it", admin_path="/admin/keys/key/7/change/"))
    assert told is not None
    Delivery.objects.update(attempts=3, answer="HTTP 503: closed")
    return told


def test_an_alert_is_listed_opened_and_acknowledged(alert: Alert) -> None:
    client = signed_in("view_alert", "change_alert")
    listed = client.get(LIST, {"state": "open"}).content.decode()
    assert "‹b›85%‹/b› of it" in listed and "1 waiting" in listed
    page = client.get(reverse("admin:alerts_alert_change", args=[alert.pk])).content.decode()
    assert "HTTP 503: closed" in page and 'class="number">3</td>' in page
    assert 'href="/admin/keys/key/7/change/"' in page
    assert "85%" in client.get(reverse("admin:index")).content.decode()

    where = reverse("admin:alerts_alert_acknowledge", args=[alert.pk])
    assert client.get(where).status_code == 405
    answer = client.post(where, {"back": "dashboard"})
    assert (answer.status_code, answer["location"]) == (302, reverse("admin:index"))
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "op")
    page = client.get(reverse("admin:alerts_alert_change", args=[alert.pk])).content.decode()
    assert "by op" in page and where not in page
    dashboard = client.get(reverse("admin:index")).content.decode()
    assert "85%" not in dashboard.partition("</main>")[0].partition("acknowledged.")[2]


def test_who_may_only_see_acknowledges_nothing(alert: Alert) -> None:
    client = signed_in("view_alert")
    where = reverse("admin:alerts_alert_acknowledge", args=[alert.pk])
    assert (
        where
        not in client.get(reverse("admin:alerts_alert_change", args=[alert.pk])).content.decode()
    )
    assert client.post(where).status_code == 403
    chosen: dict[str, Any] = {"action": "acknowledge_selected", "_selected_action": [alert.pk]}
    client.post(LIST, chosen)
    assert Alert.objects.get().state == "open"


def test_several_are_acknowledged_at_once_and_who_may_see_none_sees_none(alert: Alert) -> None:
    client = signed_in("view_alert", "change_alert")
    chosen: dict[str, Any] = {"action": "acknowledge_selected", "_selected_action": [alert.pk]}
    client.post(LIST, chosen)
    assert Alert.objects.get().state == "acknowledged"
    get_user_model().objects.all().delete()
    client = signed_in("view_key")
    assert client.get(LIST).status_code == 403
    assert "85%" not in client.get(reverse("admin:index")).content.decode()
