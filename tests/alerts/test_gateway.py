"""A gateway of two workers with a real webhook and a real mail server."""

from collections.abc import Callable
from datetime import timedelta

import httpx
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from alerts.models import Alert, Delivery, Turn
from keys.models import Key, Limit
from tests.alerts.receivers import Mailbox, Receiver, http_receiver, mail_receiver
from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body


def test_two_workers_tell_each_event_once(start_gateway: Callable[..., GatewayProcess]) -> None:
    with http_receiver() as receiver, mail_receiver() as mailbox:
        gateway = start_gateway(
            WEB_CONCURRENCY="2",
            ALERT_WEBHOOKS=receiver.url,
            ALERT_WEBHOOK_NETWORKS="127.0.0.1/32",
            ALERT_EMAILS="ops@example.com",
            EMAIL_URL=f"smtp://127.0.0.1:{mailbox.port}",
            METRICS_ALLOWED_NETWORKS="127.0.0.1",
        )
        _everything_is_told(gateway, receiver, mailbox)


_DENIED = 'Hi [simulate failure shape=policy code=0 status=403 message="Access denied by policy"]'


def _everything_is_told(gateway: GatewayProcess, receiver: Receiver, mailbox: Mailbox) -> None:
    ends = timezone.now() + timedelta(days=2)
    text = gateway.issue_key("soon over", owner="ada", expires_at=ends)
    gateway.database(
        lambda: get_user_model().objects.filter(username="ada").update(email="ada@example.com")
    )
    used_up = gateway.database(one_request_a_day)
    refused = chat_body(messages=[{"role": "user", "content": "Hi [simulate error-10000]"}])
    denied = chat_body(messages=[{"role": "user", "content": _DENIED}])
    with httpx.Client(headers={"authorization": f"Bearer {text}"}, timeout=30) as client:
        for _ in range(6):  # so that both workers meet it
            response = client.post(f"{gateway.url}/v1/chat/completions", json=refused)
            assert response.status_code == 502
            response = client.post(f"{gateway.url}/v1/chat/completions", json=denied)
            assert response.json()["error"]["code"] == "policy_denied"
    statuses = [ask(gateway, used_up) for _ in range(7)]
    assert statuses.count(200) == 1 and set(statuses) == {200, 429}
    # The rules' turn comes by itself, some seconds later.
    gateway.database(lambda: Turn.objects.filter(name="rules").delete())

    gateway.wait_until(lambda: len(receiver.bodies) >= 4 and len(mailbox.mails) >= 5, "all told")
    gateway.wait_until(
        lambda: not gateway.database(lambda: Delivery.objects.exclude(next_try_at=None).exists()),
        "all noted",
    )
    told = sorted(body["event"] for body in receiver.bodies)
    assert told == ["access_refused", "ai_gateway_refused", "key_ends", "limit"]
    assert sorted(mailbox.to) == ["ada@example.com", *["ops@example.com"] * 4]
    assert text not in repr(receiver.bodies)

    metrics = httpx.get(f"{gateway.url}/metrics").text
    assert 'gateway_alerts_open{severity="critical"} 3.0' in metrics
    assert 'gateway_alerts_open{severity="warning"} 1.0' in metrics
    assert 'gateway_alert_deliveries{state="waiting"} 0.0' in metrics
    assert "T0SECRETPATH" not in gateway.log
    states = gateway.database(lambda: sorted(a.state for a in Alert.objects.all()))
    assert states == ["open"] * 4


def one_request_a_day() -> str:
    """A key of which no worker knows less than its limit."""
    with transaction.atomic():
        key, text = Key.issue(name="tight", owner=None)
        limit = {"what": "requests", "window": "day", "amount": 1}
        Limit.objects.create(holder_kind="key", holder_id=key.pk, **limit)
    return text


def ask(gateway: GatewayProcess, key: str) -> int:
    """On a connection of its own, which any worker may take."""
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx.post(url, json=chat_body(), headers=headers, timeout=30).status_code
