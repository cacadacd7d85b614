"""Fixtures that every package's tests share: the simulator, a live gateway, a key of it."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection
from whitenoise.middleware import WhiteNoiseMiddleware

from proxysite.garbage import keep_what_exists
from tests.environment import SCRATCH
from tests.gateway import GatewayProcess, migrated_sqlite, running_gateway
from workers_ai.simulator.serve import RunningSimulator, running_simulator

# Files that take longest. A file runs in one process: begun last, they would leave the other
# processes without work. Those that mostly wait stand between those that keep a processor busy.
LONGEST_FIRST = (
    "tests/keys/test_drills.py",
    "tests/browser/test_admin_pages.py",
    "tests/keys/sharing/test_shared.py",
    "tests/test_make_run.py",
    "tests/test_docs.py",
    "tests/openai_api/test_hanging_up.py",
    "tests/browser/test_member.py",
    "tests/openai_api/test_fallbacks.py",
    "tests/browser/test_admin.py",
    "tests/proxysite/http/test_waits.py",
    "tests/storage/test_migrated.py",
    "tests/openai_api/wire/test_silence.py",
    "tests/deploy/test_move.py",
    "tests/contract/test_quirks.py",
    "tests/proxysite/test_url_prefix.py",
    "tests/test_read_only.py",
    "tests/workers_ai/test_bounds.py",
    "tests/deploy/test_proxies.py",
    "tests/contract/test_openai_python_oldest.py",
    "tests/contract/test_openai_python.py",
    "tests/test_suite.py",
    "tests/keys/member/test_single_sign_on.py",
    "tests/proxysite/test_stopping.py",
    "tests/proxysite/test_hot_path.py",
    "tests/openai_api/test_fuzz.py",
    "tests/openai_api/chat_completions/test_random_streams.py",
    "tests/keys/limits/test_limits_across_workers.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turn = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: turn.get(item.nodeid.partition("::")[0], len(turn)))


def pytest_collection_finish() -> None:
    # The tests and all that they import: looking through them time and again costs more than many
    # a test.
    keep_what_exists()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line at the end that says what did not run here, and why."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        why = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        tests = "1 test" if reasons.total() == 1 else f"{reasons.total()} tests"
        terminalreporter.write_line(f"Not run here, {tests}: {why}.", yellow=True)


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> None:
    """For accounts in this process; a gateway's own hashes stay as dear as in production."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]


@pytest.fixture(scope="session", autouse=True)
def patient_budgets() -> None:
    """Hundreds of claims at once take a busy machine longer than a request should wait for one."""
    settings.BUDGET_TIMEOUT = 60


@pytest.fixture(scope="session", autouse=True)
def static_files_looked_up_once() -> Iterator[None]:
    """Every `django.test.Client` has middleware of its own, and WhiteNoise's looks up each static
    file of all packages: more work than many a page."""
    look_up = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, dict[str, Any]] = {}

    def once(middleware: WhiteNoiseMiddleware) -> None:
        if middleware.static_prefix not in found:
            look_up(middleware)
            found[middleware.static_prefix] = dict(middleware.files)
        middleware.files.update(found[middleware.static_prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A file for the tests' own database: SQLite in memory has neither WAL nor real locks. It is
    migrated once in a run, for all processes."""
    file = SCRATCH / "test.sqlite3"
    shutil.copyfile(migrated_sqlite(dict(os.environ)), file)
    settings.DATABASES["default"]["TEST"]["NAME"] = str(file)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """That file, which is fresh in each run; with the run's folder it goes."""
    return True


@pytest.fixture(scope="session")
def session_upstream() -> Iterator[RunningSimulator]:
    with running_simulator(speed=100) as simulator:
        yield simulator


@pytest.fixture
def upstream(session_upstream: RunningSimulator) -> Iterator[RunningSimulator]:
    """The simulator behind `gateway`; what a test asks of it ends with the test."""
    session_upstream.reset()
    yield session_upstream
    session_upstream.reset()


@pytest.fixture(scope="session")
def session_gateway(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with django_db_blocker.unblock(), running_gateway(folder, session_upstream) as gateway:
        yield gateway


@pytest.fixture
def gateway(
    session_gateway: GatewayProcess, upstream: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    """One gateway for all tests of this process. Use keys and request ids of your own."""
    with django_db_blocker.unblock():
        yield session_gateway


@pytest.fixture
def start_gateway(
    upstream: RunningSimulator, tmp_path: Path, django_db_blocker: Any
) -> Iterator[Callable[..., GatewayProcess]]:
    """Starts a gateway of the test's own, with settings of its own: `start_gateway(PORT=…)`."""
    with ExitStack() as stack, django_db_blocker.unblock():

        def start(**settings: str) -> GatewayProcess:
            folder = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(running_gateway(folder, upstream, **settings))

        yield start


@pytest.fixture(scope="session")
def session_key(session_gateway: GatewayProcess) -> str:
    return session_gateway.issue_key("session")


@pytest.fixture
def key(gateway: GatewayProcess, session_key: str) -> str:
    """A key without limits."""
    return session_key


@pytest.fixture
def client(gateway: GatewayProcess, key: str) -> Iterator[httpx.Client]:
    """An HTTP client below `/v1` with the key."""
    with httpx.Client(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as http:
        yield http


@pytest.fixture
def run_on_threads() -> Callable[[Callable[[int], Any], int], list[Any]]:
    """Runs a function on several threads that start together, each with its own connection."""

    def run(function: Callable[[int], Any], count: int) -> list[Any]:
        barrier = threading.Barrier(count)

        def one(number: int) -> Any:
            try:
                barrier.wait(5)
                return function(number)
            finally:
                connection.close()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run
