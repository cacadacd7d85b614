"""Serving the simulator: from a command line, or from a thread for tests."""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from workers_ai.simulator import DEFAULT_ACCOUNT_ID, DEFAULT_API_TOKEN
from workers_ai.simulator.app import Simulator
from workers_ai.simulator.models.catalog import CatalogError
from workers_ai.simulator.recording import RequestRecord
from workers_ai.simulator.scenarios.registry import checked

API_PATH = "/client/v4"


class BreakableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also gives the application a function that cuts the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {"workers_ai.simulator.cut": self.transport.abort}
        self.scope["extensions"] = extensions


class AnnouncingServer(uvicorn.Server):
    """Calls a function once it really listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but does not raise the signal again: a stop asked for is a success."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in wanted]
        try:
            yield
        finally:
            for number, handler in zip(wanted, before, strict=True):
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cancels what is still being answered: a stop does not wait for streams of minutes."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await super().shutdown(sockets)


def _config(app: Simulator) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BreakableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        backlog=4096,
    )


def bound_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio turns Nagle's delay off only for sockets that say they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass
class RunningSimulator:
    """A simulator that serves from a thread of this process."""

    simulator: Simulator
    address: str
    account_id: str = DEFAULT_ACCOUNT_ID
    api_token: str = DEFAULT_API_TOKEN

    @property
    def base_url(self) -> str:
        return self.address + API_PATH

    @property
    def requests(self) -> deque[RequestRecord]:
        """The requests received so far, oldest first."""
        return self.simulator.recorder.records

    def set_scenario(
        self,
        name: str,
        *,
        path: str | None = None,
        times: int | None = None,
        account: str | None = None,
        **params: object,
    ) -> None:
        """Sets a scenario for all requests or those of a path or an account, `times` times or until
        it is reset."""
        texts = {key: str(value) for key, value in params.items()}
        self.simulator.lasting.put(path, checked(name, texts), times, account)

    def clear_scenarios(self) -> None:
        self.simulator.lasting.clear()

    def reset(self) -> None:
        """Forgets requests and lasting scenarios, for the next test."""
        self.clear_scenarios()
        self.requests.clear()


@contextlib.contextmanager
def running_simulator(
    catalog_dir: Path | None = None,
    *,
    speed: float = 100.0,
    account: str | None = None,
    token: str | None = None,
    more_accounts: Mapping[str, str] | None = None,
) -> Iterator[RunningSimulator]:
    """Serves a simulator on a free port of the loopback until the block ends."""
    app = Simulator(
        catalog_dir, speed=speed, account=account, token=token, more_accounts=more_accounts
    )
    bound = bound_socket("127.0.0.1", 0)
    ready = threading.Event()
    server = AnnouncingServer(_config(app), ready.set)

    def serve() -> None:
        asyncio.run(server.serve([bound]))

    thread = threading.Thread(target=serve, name="workers-ai-simulator", daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the simulator did not start within 10 seconds")
    try:
        yield RunningSimulator(
            app,
            address_of(bound),
            account or DEFAULT_ACCOUNT_ID,
            token or DEFAULT_API_TOKEN,
        )
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--catalog", type=Path, help="folder with search.json and schemas/ to serve instead"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="times as fast as real; 0 never waits"
    )
    parser.add_argument("--account", help="the only account id that is let in")
    parser.add_argument("--token", help="the only API token that is let in")
    parser.add_argument(
        "--further-account",
        action="append",
        default=[],
        metavar="ID:TOKEN",
        help="an account with a token of its own, beside the others; repeatable",
    )


def serve_forever(options: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl-C; returns the exit status."""
    try:
        app = Simulator(
            options.catalog,
            speed=options.speed,
            account=options.account,
            token=options.token,
            more_accounts=dict(each.split(":", 1) for each in options.further_account),
        )
    except CatalogError as error:
        print(f"The catalog cannot be served: {error}", file=sys.stderr)
        return 1
    try:
        bound = bound_socket(options.host, options.port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"Cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return 1

    def announce() -> None:
        print(f"Workers AI simulator on {address_of(bound)}{API_PATH}", flush=True)

    server = AnnouncingServer(_config(app), announce)
    server.run([bound])
    return 0
