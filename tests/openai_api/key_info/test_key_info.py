"""`GET /v1/key`: what a key's holder may know of it."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from keys.models import Key, Limit, Membership, Raise, Team
from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body

CHAT_MODEL = "@cf/openai/gpt-oss-20b"


def facts(gateway: GatewayProcess, key: str, query: str = "") -> dict[str, object]:
    response = httpx.get(
        gateway.url + "/v1/key" + query, headers={"authorization": f"Bearer {key}"}
    )
    assert response.status_code == 200, response.text
    assert key not in response.text
    data: dict[str, object] = response.json()["data"]
    return data


def test_a_key_tells_its_label_and_limits(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(
        "laptop", requests_per_minute=9, allowed_models=["@cf/meta/*"], allowed_endpoints=["chat"]
    )
    told = facts(gateway, key)
    assert told["label"] == "laptop"
    assert told["rate_limit"] == {"requests": 9, "interval": "1m"}
    assert told["allowed_models"] == ["@cf/meta/*"]
    assert told["allowed_endpoints"] == ["chat"]
    assert told["expires_at"] is None


def test_usage_moves_with_each_request(gateway: GatewayProcess) -> None:
    key = gateway.issue_key()
    assert facts(gateway, key)["usage"] == 0
    httpx.post(
        gateway.url + "/v1/chat/completions",
        json=chat_body("300 words"),
        headers={"authorization": f"Bearer {key}"},
    )
    told = facts(gateway, key)
    assert isinstance(told["usage"], float)
    assert told["usage"] > 0
    assert told["usage_daily"] == told["usage_monthly"] == told["usage"]


def test_a_key_tells_what_a_session_cost(gateway: GatewayProcess) -> None:
    key, other = gateway.issue_key(), gateway.issue_key()
    costs = []
    for text, of in ((key, "run 1"), (key, "run 1"), (key, "run 2"), (other, "run 1")):
        headers = {"authorization": f"Bearer {text}", "x-session-id": of}
        answer = httpx.post(gateway.url + "/v1/chat/completions", json=chat_body(), headers=headers)
        costs.append(answer.json()["usage"]["cost"])
    told = facts(gateway, key, "?session=run+1")["session"]
    assert isinstance(told, dict)
    assert (told["requests"], told["failed"], told["is_whole"]) == (2, 0, True)
    assert told["cost"] == pytest.approx(costs[0] + costs[1])
    assert told["tokens"]["prompt"] > told["tokens"]["cached"]
    assert facts(gateway, key, "?session=none")["session"] is None
    assert "session" not in facts(gateway, key)


def limited(gateway: GatewayProcess) -> tuple[Key, str]:
    """A key in a team, with a limit of every holder, and a raise."""
    key, text = gateway.issue("shared app", "limited", daily_budget_nano_usd=10**9)

    def limit() -> None:
        team = Team.objects.create(name=f"team of {key.pk}")
        assert key.owner is not None
        Membership.objects.create(user=key.owner, team=team)
        for kind, holder_id, what, window, models, amount in (
            ("key", key.pk, "requests", "minute", [CHAT_MODEL], 5),
            ("owner", key.owner_id, "tokens", "week", [], 10**6),
            ("team", team.pk, "requests", "day", [CHAT_MODEL], 50),
            ("user", key.pk, "usd", "day", [], 2 * 10**9),
        ):
            Limit.objects.create(
                holder_kind=kind,
                holder_id=holder_id,
                what=what,
                window=window,
                model_patterns=models,
                amount=amount,
            )
        Raise.objects.create(
            holder_kind="key",
            holder_id=key.pk,
            what="usd",
            window="day",
            plus=10**9,
            until=timezone.now() + timedelta(days=1),
            why="secret reason",
        )

    gateway.database(limit)
    # Written last, so the worker that knows it knows all of them.
    gateway.wait_until(lambda: facts(gateway, text)["raises"], "the raise is known")
    return key, text


def test_a_key_tells_the_limits_of_every_holder_and_what_is_left_of_them(
    gateway: GatewayProcess,
) -> None:
    key, text = limited(gateway)
    headers = {"authorization": f"Bearer {text}"}
    asked = chat_body("300 words") | {"model": CHAT_MODEL, "user": " carol "}
    usage = httpx.post(
        gateway.url + "/v1/chat/completions", json=asked, headers=headers, timeout=30
    ).json()["usage"]
    told = facts(gateway, text, "?user=carol")
    limits = {
        (each["holder_type"], each["what"], each["window"]): each
        for each in told["limits"]  # type: ignore[attr-defined]
    }
    assert told["team"] == f"team of {key.pk}"

    day = limits["key", "usd", "day"]
    assert (day["amount"], day["usual_amount"], day["models"]) == (2, 1, None)
    assert day["used"] == pytest.approx(usage["cost"])
    assert day["remaining"] == pytest.approx(2 - usage["cost"])
    assert day["resets_at"].endswith("T00:00:00+00:00")
    assert told["budgets"]["daily"]["limit"] == 2  # type: ignore[index]

    assert limits["owner", "tokens", "week"]["used"] == usage["total_tokens"]
    team = limits["team", "requests", "day"]
    assert (team["holder"], team["models"]) == (f"the team team of {key.pk}", [CHAT_MODEL])
    assert (team["used"], team["remaining"]) == (1, 49)
    carol = limits["user", "usd", "day"]
    assert carol["holder"] == "the user carol of this API key"
    assert carol["used"] == pytest.approx(usage["cost"])
    minute = limits["key", "requests", "minute"]
    assert (minute["amount"], minute["used"], minute["remaining"]) == (5, 1, 4)

    [raised] = told["raises"]  # type: ignore[misc]
    assert (raised["by"], raised["to"], raised["limit"]) == (1, None, "daily budget")
    assert "secret reason" not in str(told)

    others = facts(gateway, text, "?user=dan")["limits"]
    assert [each["used"] for each in others if each["holder_type"] == "user"] == [0]  # type: ignore[attr-defined]
    nobody = facts(gateway, text)["limits"]
    assert [each["used"] for each in nobody if each["holder_type"] == "user"] == [None]  # type: ignore[attr-defined]
