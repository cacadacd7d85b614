"""Commands that make what is missing, begun at the same moment, on both engines.

On PostgreSQL this file is a program: it makes its own attempts on the database of DATABASE_URL and
prints what came of them.
"""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import django
import pytest

if __name__ == "__main__":
    django.setup()

# Models can be imported only now.
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from catalog.models import Alias, CatalogModel
from keys.access.key_index import ensure_static_key
from keys.models import Key, PruneMark
from tests.keys.engines import postgres_server, python

AT_ONCE: Final = 4
ROUNDS: Final = 3


def at_once(work: Callable[[int], Any]) -> list[str]:
    """What each of several said that began together: nothing, or its failure."""
    barrier = threading.Barrier(AT_ONCE)

    def one(number: int) -> str:
        try:
            barrier.wait(30)
            work(number)
            return ""
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def ran(*words: str) -> None:
    call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())


def new_owner(round_: int) -> tuple[list[str], list[int]]:
    """Keys for an owner, and history under an account, that nobody has made yet."""
    name = f"newcomer{round_}"
    failures = at_once(lambda number: ran("issue_key", f"key {number}", "--owner", name))
    users = get_user_model().objects
    keys = Key.objects.filter(owner__username=name).count()
    return failures, [users.filter(username__in=[name, "manage.py"]).count(), keys]


def new_alias(round_: int) -> tuple[list[str], list[int]]:
    model, _ = CatalogModel.objects.get_or_create(name="@cf/meta/llama")
    name = f"alias{round_}"
    failures = at_once(lambda number: ran("alias_model", name, model.name))
    return failures, [Alias.objects.filter(alias=name).count()]


def shared_key(round_: int) -> tuple[list[str], list[int]]:
    Key.objects.filter(is_static=True).delete()
    failures = at_once(lambda number: ensure_static_key())
    return failures, [Key.objects.filter(is_static=True).count()]


def first_pruning(round_: int) -> tuple[list[str], list[int]]:
    PruneMark.objects.all().delete()
    failures = at_once(lambda number: PruneMark.move_to(timezone.now()))
    return failures, [PruneMark.objects.count()]


CASES: Final = {
    "an owner": (new_owner, [2, AT_ONCE]),
    "an alias": (new_alias, [1]),
    "the shared key's row": (shared_key, [1]),
    "the mark of pruning": (first_pruning, [1]),
}


@pytest.fixture(scope="module")
def postgres_says() -> Iterator[dict[str, Any]]:
    with postgres_server(migrated=True) as url:
        environment = {"DJANGO_SETTINGS_MODULE": "proxysite.settings", "DATABASE_URL": url}
        out, _ = python("tests.keys.test_commands_at_once", environment).communicate(timeout=120)
        yield json.loads(out)


@pytest.mark.parametrize("what", CASES)
def test_on_postgresql_each_has_what_it_asked_for(postgres_says: dict[str, Any], what: str) -> None:
    _, made = CASES[what]
    assert postgres_says[what] == [[[""] * AT_ONCE, made]] * ROUNDS


@pytest.mark.parametrize("what", CASES)
@pytest.mark.django_db(transaction=True)
def test_on_sqlite_each_has_what_it_asked_for(what: str) -> None:
    attempt, made = CASES[what]
    assert attempt(0) == ([""] * AT_ONCE, made)


if __name__ == "__main__":
    made = {what: [case(round_) for round_ in range(ROUNDS)] for what, (case, _) in CASES.items()}
    json.dump(made, sys.stdout)
