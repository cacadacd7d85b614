"""The gunicorn worker: uvicorn on uvloop and httptools, configured from Django's settings.

uvicorn's own access log is off (the gateway writes one line a request itself), and so is what it
makes of proxies' headers (`proxysite/http/forwarded.py`).
"""

import asyncio
import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from keys.sharing.process_lanes import lanes
from proxysite import stopping
from proxysite.http.connections import Bounds, Connections
from proxysite.http.forwarded import Forwarded

logger = logging.getLogger(__name__)


class GatewayServer(Server):
    """uvicorn's server, whose connections are bounded. `master` is the process that has started
    this one, `place` what it gave it among its workers.
    """

    server_state: Connections

    def __init__(self, config: Config, master: int, place: int | None) -> None:
        super().__init__(config)
        self._master = master
        believed = settings.FORWARDED_ALLOW_IPS
        self.server_state = Connections(
            Bounds(
                head_s=settings.REQUEST_HEAD_TIMEOUT,
                body_s=settings.REQUEST_BODY_TIMEOUT,
                idle_s=settings.IDLE_CONNECTION_TIMEOUT,
                write_s=settings.RESPONSE_WRITE_TIMEOUT,
            ),
            Forwarded(believed) if believed else None,
            place,
        )

        self._exit_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """After SIGTERM requests are taken for DRAIN_DELAY more: whoever sends them learns from
        `/readyz` that this worker ends, and finds another one meanwhile. gunicorn says SIGTERM
        again and again to workers that it has too many of."""
        if sig != signal.SIGTERM or not settings.DRAIN_DELAY:
            super().handle_exit(sig, frame)
        elif self._exit_at is None:
            self._captured_signals.append(sig)
            self._exit_at = time.monotonic() + settings.DRAIN_DELAY
            self.server_state.drain()
            stopping.begin()

    async def on_tick(self, counter: int) -> bool:
        if self._exit_at is not None and time.monotonic() >= self._exit_at:
            self.should_exit = True
        if os.getppid() != self._master and not self.should_exit:
            # Nobody could stop this worker or start another one, and it would keep the port.
            logger.warning("The gateway's master process is gone: this worker ends.")
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: Any = None) -> None:
        # Before the first connection, which asks what time it is.
        self.server_state.begin(asyncio.get_running_loop())
        await super().startup(sockets)

    async def shutdown(self, sockets: Any = None) -> None:
        self.server_state.drain()
        lanes.is_stopping = True
        await super().shutdown(sockets)


class GatewayWorker(UvicornWorker):
    # Among all of one master, which sets it before it forks this worker (`gunicorn.conf.py`).
    place: int | None = None

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        # Named, not imported: its errors' words need Django, which is set up later than this.
        "http": "proxysite.http.connection:ClientConnection",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # read by the connection, which knows addresses in one form
        # Streams get this long after SIGTERM; gunicorn's own limit is a little longer.
        "timeout_graceful_shutdown": max(1, int(settings.STOP_GRACE)),
        "log_config": None,
    }

    def init_signals(self) -> None:
        """These are for the master, but reach workers too when a terminal closes or somebody
        signals every process of the name: they would end a worker in the middle of its streams."""
        super().init_signals()
        for each in (signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH):
            signal.signal(each, signal.SIG_IGN)

    async def _serve(self) -> None:
        """As the base class has it, with our server."""
        self.config.app = self.wsgi
        server = GatewayServer(self.config, self.ppid, self.place)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
