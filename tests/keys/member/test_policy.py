from datetime import UTC, datetime

import pytest

from keys.checks import check_limits_of_members_keys, check_who_can_make_keys
from keys.member.policy import (
    Ceiling,
    ceiling_of_new_keys,
    is_within_networks,
    is_within_patterns,
)


@pytest.mark.parametrize(
    ("pattern", "allowed", "within"),
    [
        ("@cf/meta/llama", "@cf/meta/*", True),
        ("@cf/meta/llama*", "@cf/meta/*", True),
        ("@cf/meta/*", "@cf/meta/*", True),
        ("@cf/[mo]*", "@cf/*", True),
        ("anything", "*", True),
        ("*", "*", True),
        ("@cf/meta/ll?ma", "@cf/meta/ll?ma", True),
        ("@cf/meta/llama", "@cf/meta/ll?ma", True),
        ("@cf/*", "@cf/meta/*", False),
        ("*", "@cf/meta/*", False),
        ("@cf/m*", "@cf/meta/*", False),
        ("@cf/openai/x", "@cf/meta/*", False),
        # Matched as a text, but what it matches in turn is not.
        ("@cf/*", "@cf/?*", False),
        ("@cf/meta/ll*", "@cf/meta/ll?ma", False),
        ("@cf/[!m]x", "@cf/[[]*", False),
    ],
)
def test_a_pattern_is_within_another_only_if_all_it_matches_is(
    pattern: str, allowed: str, within: bool
) -> None:
    assert is_within_patterns(pattern, [allowed]) is within


@pytest.mark.parametrize(
    ("network", "within"),
    [("10.1.0.0/16", True), ("10.0.0.0/8", True), ("10.0.0.0/7", False), ("fd00::/8", False)],
)
def test_a_network_is_within_another_of_its_kind(network: str, within: bool) -> None:
    assert is_within_networks(network, ["192.0.2.0/24", "10.0.0.0/8"]) is within


def test_the_setting_names_every_limit(settings) -> None:
    settings.MEMBER_KEY_LIMITS = [
        *("rpm=60", "tpm=100000", "concurrency=4", "days=30"),
        *("daily-usd=1.5", "monthly-usd=20", "total-usd=100", "daily-neurons=2000"),
        *("models=@cf/meta/*;@cf/openai/*", "endpoints=chat;images", "networks=10.0.0.0/8"),
    ]
    assert ceiling_of_new_keys(datetime(2027, 1, 1, tzinfo=UTC)) == Ceiling(
        amounts={
            "requests_per_minute": 60,
            "tokens_per_minute": 100_000,
            "concurrency": 4,
            "daily_budget_nano_usd": 1_500_000_000,
            "monthly_budget_nano_usd": 20_000_000_000,
            "total_budget_nano_usd": 100_000_000_000,
            "daily_neurons_micro": 2_000_000_000,
        },
        models=("@cf/meta/*", "@cf/openai/*"),
        endpoints=("chat", "images"),
        networks=("10.0.0.0/8",),
        expires_at=datetime(2027, 1, 31, tzinfo=UTC),
    )


def test_a_life_longer_than_time_has_no_end_in_sight(settings) -> None:
    settings.MEMBER_KEY_LIMITS = ["days=999999999999999999"]
    assert ceiling_of_new_keys().expires_at.year == 9999


@pytest.mark.parametrize("limit", ["endpoints=chats", "networks=10.0.0.1/8"])
def test_a_limit_that_means_nothing_stops_the_start(settings, limit: str) -> None:
    settings.MEMBER_KEY_LIMITS = [limit]
    [found] = check_limits_of_members_keys(None)
    assert found.id == "keys.E004" and found.is_serious()


def test_a_deployment_that_gives_strangers_unlimited_keys_is_told_so(settings) -> None:
    assert check_who_can_make_keys(None) == []
    settings.OIDC_ISSUER = "https://login.example.com"
    [found] = check_who_can_make_keys(None)
    assert found.id == "keys.W002"
    for name, value in (
        ("MEMBER_KEY_LIMITS", ["daily-usd=1"]),
        ("OIDC_EMAIL_DOMAINS", ["example.com"]),
        ("MEMBER_MAX_KEYS", 0),
    ):
        before = getattr(settings, name)
        setattr(settings, name, value)
        assert check_who_can_make_keys(None) == []
        setattr(settings, name, before)
