"""What a gateway says as it starts."""

from collections.abc import Callable

import httpx

from tests.gateway import GatewayProcess

Start = Callable[..., GatewayProcess]


def test_a_redis_that_is_away_is_told_before_anybody_asks(start_gateway: Start) -> None:
    """And the start does not wait for it."""
    gateway = start_gateway(REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    told = [line for line in gateway.log.splitlines() if "Redis does not answer" in line]
    assert len(told) == 1 and "(Connection refused)" in told[0], gateway.log
    assert "hunter2" not in gateway.log


def test_probes_may_end_in_a_slash(start_gateway: Start) -> None:
    gateway = start_gateway(METRICS_ALLOWED_NETWORKS="127.0.0.0/8")
    for path in ("/healthz", "/readyz", "/metrics"):
        for ending in ("", "/", "/?verbose"):
            assert httpx.get(gateway.url + path + ending, timeout=20).status_code == 200, path
