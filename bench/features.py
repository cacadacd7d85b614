"""Rows that differ from the gateway's own in one feature each: what that costs.

They have only CPU, of requests and where it may differ of chunks, and stand beside the gateway of
the same round.
"""

from typing import Any

from bench.gateways import ALL_LIMITS, BUDGETS, RATES, Gateway
from bench.measure import FAST, PACED
from bench.mock_upstream import API_TOKEN

MODEL_LIMITS = (
    *("--limit", "rpm=1000000000 @cf/bench/*"),
    *("--limit", "daily-usd=1000000 @cf/bench/*"),
)
USER_LIMITS = ("--user-limit", "rpm=1000000000", "--user-limit", "daily-usd=1000000")
TEAM = (
    ("issue_team", "bench", *RATES, *BUDGETS),
    ("team_members", "bench", "--add", "bench"),
    ("change_everybody", *BUDGETS),
)
ALIASES = {FAST: "bench/fast", PACED: "bench/paced"}
SESSION = (
    "x-claude-code-session-id: 5f0c7a1e-3b52-4c1c-8a57-6d1f6a5b9c20",
    "x-claude-code-agent-id: agent-7",
)


def feature(name: str, told: str, *, touches_chunks: bool = False, **different: Any) -> Gateway:
    return Gateway(
        f"gateway-{name}",
        f"this gateway: {told}",
        f"as this gateway: {told}",
        first_streams=400,
        extent="cpu" if touches_chunks else "requests",
        feature=told,
        **different,
    )


FEATURES = (
    feature("free", "a key without limits", touches_chunks=True, key=()),
    feature("rates", "a key with rates and no budget", key=RATES),
    feature(
        "teams",
        "limits of a team, of everybody and on models too",
        touches_chunks=True,
        key=(*ALL_LIMITS, *MODEL_LIMITS),
        commands=TEAM,
    ),
    feature(
        "users",
        "limits for each user behind the key too",
        key=(*ALL_LIMITS, *USER_LIMITS),
        headers=("x-openwebui-user-email: ada@example.com",),
    ),
    feature("sessions", "requests that name a session and an agent", headers=SESSION),
    feature(
        "alias",
        "an alias with a fallback",
        commands=tuple(
            ("alias_model", alias, model, PACED if model == FAST else FAST)
            for model, alias in ALIASES.items()
        ),
        names=ALIASES,
    ),
    feature(
        "accounts",
        "two Cloudflare accounts",
        settings={"CLOUDFLARE_ACCOUNTS": f"second={'f' * 32}:{API_TOKEN}"},
    ),
    feature(
        "turns",
        "rates of the account, and turns for them",
        settings={"ACCOUNT_RATES": "@cf/bench/*=1000000"},
    ),
    feature(
        "reserve",
        "neurons kept for chosen keys",
        # More are free than the load can use up.
        settings={"FREE_DAILY_NEURONS": "1000000000", "RESERVED_NEURONS": "1"},
    ),
    feature(
        "alerts",
        "alerts to a webhook",
        settings={"ALERT_WEBHOOKS": "MOCK/v1/traces", "ALERT_WEBHOOK_NETWORKS": "127.0.0.0/8"},
    ),
    feature(
        "traced",
        "traces and metrics for a collector",
        touches_chunks=True,
        settings={"OTEL_EXPORTER_OTLP_ENDPOINT": "MOCK"},
    ),
    feature(
        "services",
        "PostgreSQL and Redis in place of SQLite",
        touches_chunks=True,
        with_services=True,
    ),
)
