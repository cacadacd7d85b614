"""Sessions whose time is over go by themselves."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from proxysite import session_sweep
from proxysite.session_sweep import SessionSweep

pytestmark = pytest.mark.django_db


def session(key: str, **ends_in: float) -> None:
    end = timezone.now() + timedelta(**ends_in)
    Session.objects.create(session_key=key, session_data="", expire_date=end)


def left() -> set[str]:
    return set(Session.objects.values_list("pk", flat=True))


def test_what_is_over_goes_and_the_rest_stays() -> None:
    session("over", seconds=-1)
    session("long over", days=-20)
    session("in force", minutes=5)
    SessionSweep().look()
    assert left() == {"in force"}


def test_a_look_takes_a_batch_and_the_next_is_a_minute_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_sweep, "BATCH_ROWS", 2)
    for days in range(1, 6):
        session(f"{days}", days=-days)
    sweep = SessionSweep()
    sweep.look()
    assert left() == {"1", "2", "3"}
    sweep.look()
    assert len(left()) == 3
    monkeypatch.setattr(sweep, "_due_at", 0.0)
    sweep.look()
    assert left() == {"1"}
