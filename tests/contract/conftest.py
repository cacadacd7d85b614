"""The clients, each as its users make it: a base URL and a key, and nothing else of ours."""

import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests import needs
from tests.contract.client_process import ClientProcess
from tests.gateway import GatewayProcess

HERE = Path(__file__).parent
OLDEST_PINS = HERE / "openai-oldest.txt"


@pytest.fixture
def base_url(gateway: GatewayProcess) -> str:
    return gateway.url + "/v1"


@pytest.fixture(scope="session")
def session_openai(session_gateway: GatewayProcess, session_key: str) -> Iterator[OpenAI]:
    base_url = session_gateway.url + "/v1"
    with OpenAI(base_url=base_url, api_key=session_key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def openai(gateway: GatewayProcess, session_openai: OpenAI) -> OpenAI:
    """Without retries of its own, so that a test sees the first answer."""
    return session_openai


@pytest.fixture
async def async_openai(base_url: str, key: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=20) as client:
        yield client


# --- Node -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def node_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], ClientProcess]]:
    """Starts a script of `node/`, once a session each unless it ended."""
    running: dict[str, ClientProcess] = {}

    def start(script: str) -> ClientProcess:
        node = needs.program("node")
        for package in ("openai", "ai", "zod"):
            needs.node_package(package)
        if script not in running or not running[script].running:
            log = tmp_path_factory.mktemp("node") / "stderr.log"
            running[script] = ClientProcess(
                [node, str(HERE / "node" / script)], log, PATH=os.environ["PATH"]
            )
        return running[script]

    yield start
    for client in running.values():
        client.close()


@pytest.fixture
def call_node(
    node_process: Callable[[str], ClientProcess], base_url: str, key: str
) -> Callable[..., Any]:
    """`call_node("openai.mjs", "chat", …)` runs a case of a script with the session's key."""

    def call(script: str, case: str, **given: Any) -> Any:
        return node_process(script).call(case, **{"baseURL": base_url, "apiKey": key, **given})

    return call


# --- An old Python client ---------------------------------------------------------------------


@pytest.fixture(scope="session")
def oldest_openai(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClientProcess]:
    """The oldest 1.x, in a folder that no other package is seen from."""
    packages = _installed_oldest(pytestconfig)
    log = tmp_path_factory.mktemp("oldest") / "stderr.log"
    client = ClientProcess(
        # -S leaves out this environment's own packages, the current openai among them.
        [sys.executable, "-S", str(HERE / "oldest_openai.py")],
        log,
        PYTHONPATH=str(packages),
    )
    yield client
    client.close()


def _installed_oldest(config: pytest.Config) -> Path:
    """Where the pinned packages are; installed by the first session that wants them."""
    pins = OLDEST_PINS.read_text()
    version = next(line for line in pins.splitlines() if line.startswith("openai=="))
    cache = config.cache
    assert cache is not None
    folder = cache.mkdir(f"{version.replace('==', '-')}-{sys.implementation.cache_tag}")
    packages, finished = folder / "packages", folder / "pins.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if finished.exists() and finished.read_text() == pins:
            return packages
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--upgrade", "--retries", "1", "--timeout", "15"]
        done = subprocess.run(
            [*pip, *options, "--target", str(packages), "-r", str(OLDEST_PINS)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            needs.lacks(f"{version} cannot be installed: {done.stderr.strip()[-300:]}")
        finished.write_text(pins)
    return packages
