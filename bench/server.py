"""A server as the benchmark sees it: where it runs, how it starts, what asks it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from bench.mock_upstream import API_PATH
from bench.processes import end as end_process
from bench.processes import start, wait_until_answering

ROOT = Path(__file__).resolve().parent.parent
# Where a server has one key for all.
SHARED_KEY = "sk-bench"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs, and its upstream. `folder` is empty and is deleted afterwards."""

    folder: Path
    mock_url: str
    # A core, or several as taskset writes them: "0,1".
    server_core: int | str
    load_core: int
    # The certificate of an upstream behind TLS, in a file.
    authority: Path | None = None

    @property
    def trusting(self) -> dict[str, str]:
        """Variables by which programs on OpenSSL, and Node, trust the upstream's certificate."""
        if self.authority is None:
            return {}
        names = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        return dict.fromkeys(names, str(self.authority))

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    @property
    def openai_base_url(self) -> str:
        """Workers AI's endpoints in OpenAI's dialect, on the mock."""
        return f"{self.mock_url}{API_PATH}/v1"


class Started(NamedTuple):
    """A process, and how long after its start it gave its first answer."""

    pid: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """`beside` are the processes that serve with it, `apart` those below it that do not count;
    `names` are those that models have there."""

    started: Started
    base_url: str
    headers: tuple[str, ...] = ()
    beside: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.started.pid, *self.beside)

    @property
    def chat_url(self) -> str:
        return self.base_url + "/chat/completions"

    @property
    def image_url(self) -> str:
        return self.base_url + "/images/generations"


@dataclass(frozen=True, slots=True)
class Server:
    """`first_streams` is the number at which the search for the most streams begins.

    `extent` is what is measured: "all"; "some", which leaves out memory, streams held and TLS;
    "cpu" of requests and chunks; or that of "requests" alone. One `once` is not in the rounds after
    the first. A row with a `feature` stands in a table of its own, which tells what that costs. No
    window is shorter than `window_s`.
    """

    name: str
    title: str
    does: str
    first_streams: int
    extent: Literal["all", "some", "cpu", "requests"] = "all"
    once: bool = False
    feature: str = ""
    window_s: float = 0

    def missing(self) -> str:
        """Why it cannot be run here; empty when it can."""
        return ""

    def version(self) -> str:
        return ""

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        raise NotImplementedError
        yield


@contextmanager
def serving(
    place: Place,
    command: Sequence[str],
    url: str,
    *,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Started]:
    """The process id of the command, once it answers at the URL, and the seconds until then."""
    began = time.monotonic()
    process = start(
        command,
        core=place.server_core,
        log_path=place.log_path,
        environment={**place.trusting, **(environment or {})},
        folder=folder or place.folder,
    )
    try:
        wait_until_answering(url, process, place.log_path)
        yield Started(process.pid, time.monotonic() - began)
    finally:
        end_process(process)
