"""An alert is told once, whatever the number of workers, restarts and failures on the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from alerts import store
from alerts.delivery import FIRST_WAIT_S, GIVEN_UP_AFTER, LEASE, Deliverer, _claim
from alerts.models import Alert, Delivery
from tests.alerts.messages import finding
from tests.alerts.receivers import Mailbox, Receiver

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_tells(
    receiver: Receiver, mailbox: Mailbox, settings: Any, run_on_threads: Callable[..., list[Any]]
) -> None:
    settings.ALERT_EMAILS = ["ops@example.com"]

    def worker(number: int) -> None:
        for series in range(4):
            store.tell(finding(f"limit:{series}"), NOW)
        Deliverer(lambda: NOW).look()

    run_on_threads(worker, 6)
    assert Alert.objects.count() == 4
    ids = [body["id"] for body in receiver.bodies]
    assert len(ids) == len(set(ids)) == len(mailbox.mails) == 4
    assert {one.state for one in Delivery.objects.all()} == {"sent"}
    Deliverer(lambda: NOW + timedelta(days=1)).look()
    assert len(receiver.bodies) == 4, "what arrived is not sent again"


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_is_down_for_a_while_gets_it_later(receiver: Receiver) -> None:
    clock = Clock()
    store.tell(finding(), NOW)
    receiver.answer = lambda handler: handler.say(503, b"closed")
    deliverer = Deliverer(clock)
    for tries in (1, 2, 3):
        assert deliverer.look() == 1
        assert deliverer.look() == 0, "it rests between"
        one = Delivery.objects.get()
        assert (one.state, one.attempts, one.answer) == ("waiting", tries, "HTTP 503: closed")
        clock.forward(FIRST_WAIT_S * 2 ** (tries - 1) * 1.3)
    receiver.answer = lambda handler: handler.say(200)
    assert deliverer.look() == 1
    assert (Delivery.objects.get().state, Delivery.objects.get().answer) == ("sent", "HTTP 200")
    assert len({body["id"] for body in receiver.bodies}) == 1, "a repeated one can be told"


@pytest.mark.django_db(transaction=True)
def test_one_that_never_arrives_is_given_up(receiver: Receiver) -> None:
    clock = Clock()
    store.tell(finding(), NOW)
    receiver.answer = lambda handler: handler.say(410)
    for _ in range(60):
        Deliverer(clock).look()
        clock.forward(4000)
    one = Delivery.objects.get()
    assert (one.state, one.answer) == ("given up", "HTTP 410")
    assert 5 < one.attempts == len(receiver.bodies) <= GIVEN_UP_AFTER / timedelta(seconds=3000)


@pytest.mark.django_db(transaction=True)
def test_what_a_dead_worker_had_claimed_is_sent_by_another(receiver: Receiver) -> None:
    clock = Clock()
    store.tell(finding(), NOW)
    # It died between claiming it and sending it; or after the receiver had it: nobody knows.
    assert _claim(Delivery.objects.get(), NOW)
    assert Deliverer(clock).look() == 0, "its lease holds"
    clock.forward(LEASE.total_seconds() + 1)
    assert Deliverer(clock).look() == 1
    assert receiver.bodies[0]["id"] == str(Alert.objects.get().uuid)


@pytest.mark.django_db(transaction=True)
def test_a_channel_that_hangs_is_not_in_the_way_of_others(
    receiver: Receiver, mailbox: Mailbox, settings: Any
) -> None:
    settings.ALERT_EMAILS = ["ops@example.com"]
    receiver.answer = lambda handler: handler.say(500)
    for series in range(5):
        store.tell(finding(f"limit:{series}"), NOW)
    Deliverer(lambda: NOW).look()
    assert (len(mailbox.mails), len(receiver.bodies)) == (5, 1)


@pytest.mark.django_db(transaction=True)
def test_an_owner_is_told_of_their_own_and_led_to_their_page(
    receiver: Receiver, mailbox: Mailbox, settings: Any
) -> None:
    settings.ALERT_EMAILS = ["ops@example.com"]
    settings.PUBLIC_URL = "https://gateway.example.com/ai"
    both = ("ops@example.com", "ada@example.com")
    store.tell(finding(mail_to=both, owner_path="/keys/7/"), NOW)
    Deliverer(lambda: NOW).look()
    texts = dict(zip(mailbox.to, [each.get_content() for each in mailbox.mails], strict=True))  # type: ignore[attr-defined]
    alert = Alert.objects.get()
    own = f"https://gateway.example.com/ai/admin/alerts/alert/{alert.pk}/change/"
    assert "https://gateway.example.com/ai/keys/7/" in texts["ada@example.com"]
    assert own in texts["ops@example.com"] and receiver.bodies[0]["url"] == own
    assert len(mailbox.mails) == 2, "an operator who is the owner gets one"


@pytest.mark.django_db(transaction=True)
def test_a_channel_that_another_release_knows_is_left_to_it(receiver: Receiver) -> None:
    store.tell(finding(), NOW)
    Delivery.objects.update(channel="webhook:of-another")
    assert Deliverer(lambda: NOW).look() == 0
    assert Delivery.objects.get().state == "waiting"
    Delivery.objects.update(next_try_at=NOW)
    Deliverer(lambda: NOW + GIVEN_UP_AFTER + timedelta(minutes=1)).look()
    assert Delivery.objects.get().state == "given up"


@pytest.mark.django_db
def test_no_secret_is_stored(receiver: Receiver) -> None:
    store.tell(finding(), NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM alerts_delivery")
        assert "T0SECRETPATH" not in repr(cursor.fetchall())
