"""Two workers, as processes, on PostgreSQL and Redis: every limit is one limit."""

import json
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from tests.keys.engines import finished, postgres_server, python, redis_server

MODULE = "tests.keys.limits.limits_worker"


class Engines:
    def __init__(self, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "proxysite.settings",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BUDGET_TIMEOUT": "60",
        }

    def manage(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return finished("manage", self.environment, *words)

    def query(self, sql: str) -> list[tuple]:
        with psycopg.connect(self.database_url) as direct:
            return direct.execute(sql).fetchall()


class Worker:
    def __init__(self, engines: Engines) -> None:
        self.process = python(MODULE, engines.environment)

    def order(self, words: str) -> None:
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()

    def answer(self) -> int:
        return int(self.process.stdout.readline())

    def obey(self, words: str) -> int:
        self.order(words)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Engines]:
    with postgres_server(migrated=True) as database_url, redis_server() as counts:
        yield Engines(database_url, counts.url)


@pytest.fixture(scope="module")
def workers(servers):
    workers = [Worker(servers) for _ in range(3)]
    yield workers
    for worker in workers:
        worker.kill()


# The model of a request has the number of its key: 100 and the place here.
LIMITS = [
    *("requests_per_minute", "concurrency", "tokens_per_minute"),
    *("daily_budget_nano_usd", "total_budget_nano_usd", "daily_neurons_micro"),
    *("team.usd.week.@cf/*", "user.requests.day", "key.requests.minute.@cf/*"),
    "everybody.tokens.month.@cf/meta/109",
    "owner.neurons.total",
]


@pytest.mark.parametrize("limit", LIMITS)
def test_of_fifty_at_once_over_three_workers_seven_pass(servers, workers, limit):
    number = 100 + LIMITS.index(limit)
    for worker, count in zip(workers, (17, 17, 16), strict=True):
        worker.order(f"try {limit} {number} {count}")
    assert sum(worker.answer() for worker in workers) == 7
    for worker in workers:
        worker.obey("settle")
    where = f"WHERE key_id = {number}"
    assert servers.query(f"SELECT sum(cost_nano_usd) FROM keys_daytotal {where}") == [(7 * 60,)]
    assert servers.query(f"SELECT count(*) FROM keys_reservation {where}") == [(0,)]


def test_busy_keys_spend_a_budget_to_the_last_request_over_three_workers(servers, workers):
    for worker in workers:
        worker.order("spend 400 1000")
    passed = [worker.answer() for worker in workers]
    assert sum(passed) == 1000, passed
    where = "WHERE key_id = 400"
    spent = f"SELECT sum(cost_nano_usd), sum(requests) FROM keys_daytotal {where}"
    assert servers.query(spent) == [(1000 * 100, 1000)]
    assert servers.query(f"SELECT count(*) FROM keys_reservation {where}") == [(0,)]


def test_a_worker_killed_with_reservations_frees_them_when_their_lease_ends(servers, workers):
    survivor, _, victim = workers
    assert victim.obey("try total_budget_nano_usd 200 10") == 7
    victim.process.kill()
    assert survivor.obey("try total_budget_nano_usd 200 10") == 0
    survivor.obey("ahead 100")
    assert survivor.obey("try total_budget_nano_usd 200 10") == 7
    survivor.obey("settle")
    survivor.obey("ahead 0")


def test_reservations_whose_commit_was_not_answered_are_made_once(servers, workers):
    worker, other = workers[:2]
    worker.obey("lose 2")
    assert worker.obey("try daily_budget_nano_usd 500 10") == 7
    assert other.obey("try daily_budget_nano_usd 500 10") == 0
    held = "SELECT count(*) FROM keys_reservation WHERE key_id = 500"
    assert servers.query(held) == [(7,)]
    worker.obey("lose 2")
    worker.obey("settle")
    assert servers.query(held) == [(0,)]
    spent = "SELECT sum(cost_nano_usd), sum(requests) FROM keys_daytotal WHERE key_id = 500"
    assert servers.query(spent) == [(7 * 60, 7)]


ODD = "it's \\' \\\\ \"50%\" %s ? $1 {} \u2028 \U0001f600 \t--; /*"


def test_no_text_is_more_than_a_text(servers, workers):
    workers[0].obey("log " + json.dumps(ODD).replace(" ", "\\u0020"))
    found = servers.query("SELECT \"user\" FROM keys_requestlog WHERE request_id = 'odd'")
    assert found == [(ODD,)]


def test_the_server_soon_ends_a_group_of_a_ledger_that_fell_silent(workers):
    assert 0 < workers[0].obey("patience") <= 20_000


def test_the_ledger_of_all_workers_is_clean(servers, workers):
    workers[0].obey("try concurrency 300 5")
    workers[0].obey("settle")
    checked = servers.manage("check_ledger")
    assert "0 differences" in checked.stdout
