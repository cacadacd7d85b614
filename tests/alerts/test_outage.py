"""A ledger that cannot write is told without the database, by one worker, once."""

from typing import Any

import pytest
from redis import Redis

from alerts.models import Alert, Delivery
from alerts.other_hosts import NAME
from alerts.outage import AFTER_S, APART_S, OutageTeller
from alerts.shared_moments import SharedOutage
from tests.alerts.receivers import Receiver
from tests.keys.engines import redis_server

PROBLEM = "the ledger cannot write (connection refused), 3 rows wait"


class Workers:
    """Two of one host, whose clock a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        shared = SharedOutage()
        self.each = [OutageTeller(shared, lambda: self.now) for _ in range(2)]

    def look(self, problem: str, after_s: float = 5.0) -> None:
        self.now += after_s
        for worker in self.each:
            worker.look(problem)


@pytest.fixture
def workers() -> Workers:
    return Workers()


def test_it_is_told_once_an_outage_and_not_for_a_blink(
    receiver: Receiver, workers: Workers
) -> None:
    # This test may not use the database, and does not.
    workers.look(PROBLEM)
    workers.look("")
    assert receiver.bodies == []
    for _ in range(int(AFTER_S)):
        workers.look(PROBLEM)
    assert [body["event"] for body in receiver.bodies] == ["ledger"]
    assert PROBLEM in receiver.bodies[0]["text"] and receiver.bodies[0]["severity"] == "critical"
    workers.look("", after_s=APART_S / 2)
    for _ in range(int(AFTER_S)):
        workers.look(PROBLEM)
    assert len(receiver.bodies) == 1, "soon again is the same outage"


def test_another_worker_goes_on_where_the_first_one_died(
    receiver: Receiver, workers: Workers
) -> None:
    receiver.answer = lambda handler: handler.say(500)
    for _ in range(4):
        workers.look(PROBLEM)
    assert 0 < len(receiver.bodies) < 4, "tried again, with pauses"
    receiver.answer = lambda handler: handler.say(200)
    dead = workers.each.pop(0)
    tried = len(receiver.bodies)
    for _ in range(30):
        workers.look(PROBLEM)
    assert len(receiver.bodies) == tried + 1
    dead.look(PROBLEM)
    assert len(receiver.bodies) == tried + 1


@pytest.mark.django_db
def test_afterwards_it_is_in_the_list_and_goes_where_it_did_not_arrive(
    receiver: Receiver, workers: Workers, settings: Any
) -> None:
    settings.ALERT_WEBHOOKS = [receiver.url, "http://192.168.1.1/hook"]
    for _ in range(6):
        workers.look(PROBLEM)
    for worker in workers.each:
        worker.keep(is_over=False)
    assert not Alert.objects.exists()
    for _ in range(2):
        for worker in workers.each:
            worker.keep(is_over=True)
    alert = Alert.objects.get()
    assert (alert.event, alert.state, str(alert.uuid)) == (
        "ledger",
        "over",
        receiver.bodies[0]["id"],
    )
    assert sorted(one.state for one in Delivery.objects.all()) == ["sent", "waiting"]


def test_of_two_hosts_that_share_a_redis_one_tells(receiver: Receiver, settings: Any) -> None:
    with redis_server() as redis:
        settings.REDIS_URL = redis.url
        hosts = [Workers(), Workers()]
        for _ in range(12):
            for host in hosts:
                host.look(PROBLEM)
        assert len(receiver.bodies) == 1
        receiver.answer = lambda handler: handler.say(500)
        dying = Workers()
        for _ in range(40):
            dying.look("")
            hosts[0].look("")
        with Redis.from_url(redis.url) as client:
            client.delete(NAME)
        for _ in range(4):
            dying.look(PROBLEM)
        del dying.each[0]
        receiver.answer = lambda handler: handler.say(200)
        for _ in range(30):
            dying.look(PROBLEM)
            hosts[0].look(PROBLEM)
        tried = len({body["id"] for body in receiver.bodies})
        assert tried == 3, "the host's next worker tells what the first one could not"
        redis.stop()
    # Without it each host tells its own: rather twice than never.
    for host in [Workers(), Workers()]:
        for _ in range(4):
            host.look(PROBLEM)
    assert len({body["id"] for body in receiver.bodies}) == 5
