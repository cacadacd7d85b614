"""The client as Django's settings describe it: the only file of this package that reads them."""

from dataclasses import replace
from typing import Any

from django.conf import settings

from workers_ai.accounts import SeveralAccounts
from workers_ai.client import Account, WorkersAIClient
from workers_ai.http.proxy import proxy_for
from workers_ai.retry import RetryPolicy
from workers_ai.silence import Timeouts


def client_from_settings() -> WorkersAIClient:
    """A client of the account, or the accounts, that Django's settings name."""
    account = Account(
        settings.CLOUDFLARE_ACCOUNT_ID,
        settings.CLOUDFLARE_API_TOKEN,
        settings.CLOUDFLARE_API_BASE_URL,
        settings.CLOUDFLARE_AI_GATEWAY,
        gateway_logs_payloads=settings.CLOUDFLARE_AI_GATEWAY_LOGS,
    )
    options: dict[str, Any] = {
        "timeouts": Timeouts(
            connect_s=settings.UPSTREAM_CONNECT_TIMEOUT,
            pool_s=settings.UPSTREAM_POOL_TIMEOUT,
            first_byte_s=settings.UPSTREAM_FIRST_BYTE_TIMEOUT,
            idle_s=settings.UPSTREAM_IDLE_TIMEOUT,
            total_s=settings.UPSTREAM_TOTAL_TIMEOUT,
        ),
        "retry": RetryPolicy(settings.UPSTREAM_RETRIES, settings.UPSTREAM_RETRY_BUDGET),
        "max_connections": settings.UPSTREAM_MAX_CONNECTIONS,
        "proxy": proxy_for(
            settings.CLOUDFLARE_API_BASE_URL,
            named=settings.UPSTREAM_PROXY,
            https_proxy=settings.HTTPS_PROXY,
            no_proxy=settings.NO_PROXY,
        ),
    }
    if not settings.CLOUDFLARE_ACCOUNTS:
        return WorkersAIClient(account, **options)
    further = [
        replace(account, account_id=each.id, api_token=each.token)
        for each in settings.CLOUDFLARE_ACCOUNTS
    ]
    names = settings.CLOUDFLARE_ACCOUNT_NAMES
    return SeveralAccounts(dict(zip(names, [account, *further], strict=True)), **options)
