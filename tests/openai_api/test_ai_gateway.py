"""What AI Gateway is told of a request: nothing, unless the operator says so, and never a name."""

from types import SimpleNamespace
from typing import Any

import pytest

from openai_api import ai_gateway
from openai_api.ai_gateway import gateway_headers

KEY: Any = SimpleNamespace(id=7, owner_id=3, team_id=5, name="ada's laptop", owner_name="ada")
SENT = {b"cf-aig-cache-ttl": b"60", b"cf-aig-skip-cache": b"true", b"cf-aig-metadata": b"{}"}


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ai_gateway, "IS_USED", True)


def test_nothing_is_told_by_default() -> None:
    assert gateway_headers(KEY, SENT) == ()


def test_ids_are_told_and_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ai_gateway, "METADATA", ("key", "owner", "team"))
    told = b'{"key":"7","owner":"3","team":"5"}'
    assert gateway_headers(KEY, SENT) == ((b"cf-aig-metadata", told),)


def test_a_key_without_an_owner_has_no_owner_and_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ai_gateway, "METADATA", ("owner", "key", "team"))
    key: Any = SimpleNamespace(id=1, owner_id=None, team_id=None)
    assert gateway_headers(key, {}) == ((b"cf-aig-metadata", b'{"key":"1"}'),)


def test_clients_steer_the_cache_where_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ai_gateway, "CACHE", True)
    told = dict(gateway_headers(KEY, SENT))
    assert told == {b"cf-aig-cache-ttl": b"60", b"cf-aig-skip-cache": b"true"}


def test_without_a_gateway_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ai_gateway, "IS_USED", False)
    monkeypatch.setattr(ai_gateway, "METADATA", ("key",))
    assert gateway_headers(KEY, SENT) == ()
