"""What a gateway says as it starts."""

from collections.abc import Callable

from tests.gateway import GatewayProcess

Start = Callable[..., GatewayProcess]


def test_a_redis_that_is_away_is_told_before_anybody_asks(start_gateway: Start) -> None:
    """And the start does not wait for it."""
    gateway = start_gateway(REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    told = [line for line in gateway.log.splitlines() if "Redis does not answer" in line]
    assert len(told) == 1 and "(Connection refused)" in told[0], gateway.log
    assert "hunter2" not in gateway.log
