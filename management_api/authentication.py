"""Who asks: a service token, and nothing else. Session cookies and ordinary keys are not looked at.

Whoever sends a token that is unknown, expired or revoked hears the same."""

from collections.abc import Sequence
from typing import Any, Final

from asgiref.sync import async_to_sync
from rest_framework.authentication import BaseAuthentication

from keys.addresses import address, network
from keys.limits.counters import Denial
from keys.limits.process_counters import process_counters
from keys.scopes import Limits, Scope
from management_api.models import ServiceToken
from management_api.problems import Problem
from management_api.tokens import note_use, token_with_text

LONGEST_HEADER: Final = 512


class ServiceTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[Any, ServiceToken]:
        token = token_with_text(_sent(request))
        if token is None:
            raise _unauthorized(
                "This service token is not valid: it is unknown, expired or revoked. An operator "
                "issues one with issue_service_token; keys for /v1 are no service tokens."
            )
        check_network(token.allowed_networks, request.META.get("REMOTE_ADDR", ""))
        count_request(token)
        note_use(token)
        return token.account, token

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="management API"'


def _sent(request: Any) -> str:
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, rest = header.strip().partition(" ")
    text = rest.strip()
    if not header.strip():
        raise _unauthorized("Send a service token: 'Authorization: Bearer sk-wai-service-…'.")
    if scheme.lower() != "bearer" or not text or len(text) > LONGEST_HEADER:
        raise _unauthorized("The header takes 'Authorization: Bearer sk-wai-service-…'.")
    return text


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "invalid_token", detail)


def check_network(networks: Sequence[str], client: str) -> None:
    """Raises Problem for a client in none of the networks; none at all means from anywhere."""
    if not networks:
        return
    try:
        ip = address(client)
    except ValueError:
        ip = None
    if ip is None or not any(ip in network(text) for text in networks):
        raise Problem(
            403, "network_not_allowed", "This service token may not be used from this address."
        )


def count_request(token: ServiceToken) -> None:
    """Counts as the requests of keys are counted: over all workers where they share a Redis."""
    limits = Limits(requests_per_minute=token.requests_per_minute)
    taken = async_to_sync(process_counters.take)([Scope("service", token.pk, limits)])
    if isinstance(taken, Denial):
        wait_s = max(1, round(taken.retry_after_s + 0.5))
        raise Problem(
            429,
            "rate_limited",
            f"This service token may send {token.requests_per_minute} requests a minute. Please "
            f"wait {wait_s} s.",
            headers={"Retry-After": str(wait_s)},
        )
    taken.release(0)
