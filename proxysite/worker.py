"""The gunicorn worker: uvicorn on uvloop and httptools, configured from Django's settings.

uvicorn's own access log is off (the gateway writes one line a request itself), and proxy headers
are believed only from the networks that the operator named.
"""

from typing import Any

from django.conf import settings
from uvicorn_worker import UvicornWorker


class GatewayWorker(UvicornWorker):
    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(settings.FORWARDED_ALLOW_IPS),
        "forwarded_allow_ips": settings.FORWARDED_ALLOW_IPS or None,
        # Streams get this long after SIGTERM; gunicorn's own patience is a little longer.
        "timeout_graceful_shutdown": max(1, int(settings.STOP_GRACE)),
        "log_config": None,
    }
