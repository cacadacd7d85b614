"""Of all hosts that share a Redis one tells an outage of the database.

Without Redis, or while it does not answer either, each host tells its own: rather twice than never.
"""

import logging
from typing import Any, Final

from django.conf import settings

logger = logging.getLogger(__name__)

NAME: Final = "wai:outage-told"
TIMEOUT_S: Final = 1.0


class OtherHosts:
    """`host` names this one; `kept_s` is how long a claim outlives the last host that met the
    outage."""

    def __init__(self, host: str, kept_s: float) -> None:
        self._host = host
        self._kept_ms = int(kept_s * 1000)
        self._client: Any = None

    def claim(self) -> bool:
        """Whether this host is the one that tells, or was before."""
        self._ask("set", NAME, self._host, nx=True, px=self._kept_ms)
        return self._ask("get", NAME) in (None, self._host.encode())

    def keep(self) -> None:
        """The outage goes on here."""
        self._ask("pexpire", NAME, self._kept_ms)

    def _ask(self, command: str, *arguments: Any, **options: Any) -> Any:
        """None without an answer."""
        if not settings.REDIS_URL:
            return None
        # Imported only here: Redis's client costs 10 MiB and a quarter of a second at the start.
        from redis import Redis, RedisError

        try:
            if self._client is None:
                limits = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
                self._client = Redis.from_url(settings.REDIS_URL, **limits)
            return getattr(self._client, command)(*arguments, **options)
        except (RedisError, OSError) as error:
            # Its text may have the URL, and so a password.
            logger.warning("Redis does not tell who tells the outage: %s", type(error).__name__)
            return None
