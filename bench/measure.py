"""Measures one server: starts it, warms it up, puts each load on it, stops it.

A figure is a number under a name of `FIGURES` (report.py says them in words). The server's tree has
one core for itself; mock and load generator share another.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.mock_upstream import API_PATH, IMAGE_MODEL, MODELS, model_name
from bench.processes import DidNotStart, end, free_port, rss_mib, start, wait_until_listening
from bench.server import ROOT, Place, Running, Server, Started

Figures = dict[str, float]
FAST = model_name(100, 0)
PACED = model_name(100, 20)
SHORT_PACED = model_name(20, 20)
SLOW = model_name(20, 1000)

PACED_STREAMS = 150
LOW_RATE_PER_S = 40
LOW_STREAM_RATE_PER_S = 10
PICTURE_BYTES = 5_000_000
# A stream counts as held while 99 of 100 gaps between its chunks stay below this.
LONGEST_GAP_MS = 100
CHUNKS_DUE_PER_S = 50
DELIVERED_SHARE = 0.97
MOST_STREAMS = 1200
# The window once nothing came in the usual one: on a busy machine an answer takes seconds.
PATIENT_S = 15
# Above this the generator or the mock may be the bottleneck, not the server.
BUSY_CORE = 0.95


@dataclass(frozen=True, slots=True)
class Cores:
    server: int
    load: int


@dataclass(frozen=True, slots=True)
class Mock:
    """`tls_url` leads to the same over TLS; `authority` is the file with its certificate."""

    url: str
    pid: int
    tls_url: str = ""
    authority: Path | None = None


class LoadFailed(Exception):
    """The load generator got no answer at all; the text says what it got instead."""


@contextmanager
def running_mock(
    cores: Cores, folder: Path, *, models: int = 65, tls: bool = False
) -> Iterator[Mock]:
    port = free_port()
    url, tls_url, authority = f"http://127.0.0.1:{port}", "", None
    words = ["-m", "bench.mock_upstream", "--port", str(port), "--models", str(models)]
    if tls:
        tls_port = free_port()
        # By name: a certificate is for one.
        tls_url = f"https://localhost:{tls_port}"
        authority, with_key = folder / "authority.pem", folder / "server.pem"
        make_certificate(authority, with_key)
        words += ["--tls-port", str(tls_port), "--certificate", str(with_key)]
    log_path = folder / "mock.log"
    process = start([sys.executable, *words], core=cores.load, log_path=log_path, folder=ROOT)
    try:
        wait_until_listening(url, process, log_path)
        yield Mock(url, process.pid, tls_url, authority)
    finally:
        end(process)


def make_certificate(authority: Path, with_key: Path) -> None:
    """A certificate for localhost, for a day: alone, and with its key."""
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    words += ["-keyout", str(with_key), "-out", str(authority)]
    subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True)
    with_key.write_text(with_key.read_text() + authority.read_text())


class Bench:
    """Puts load on one running server."""

    def __init__(self, server: Running, mock: Mock, cores: Cores, seconds: float) -> None:
        self.server = server
        self._mock = mock
        self._cores = cores
        self.seconds = seconds

    def load(self, *words: str, url: str = "") -> dict[str, Any]:
        command = [
            *("taskset", "-c", str(self._cores.load), sys.executable, "-m", "bench.load"),
            *("--url", url or self.server.chat_url),
            *("--server-pid", *map(str, self.server.pids)),
            *("--apart-pid", *map(str, self.server.apart)),
            *("--mock-pid", str(self._mock.pid)),
        ]
        for header in self.server.headers:
            command += ["--header", header]
        command += [self.server.names.get(word, word) for word in words]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired as error:
            raise LoadFailed("the load did not end within 180 s") from error
        if done.returncode:
            raise LoadFailed(done.stderr[-500:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def closed(self, clients: int, *words: str, seconds: float | None = None) -> dict[str, Any]:
        window = str(self.seconds if seconds is None else seconds)
        return self.load("--clients", str(clients), "--seconds", window, *words)

    def streams(
        self, number: int, model: str, *, ramp_s: float = 2, seconds: float | None = None
    ) -> dict[str, Any]:
        words = ["--stream", "--model", model, "--ramp", str(ramp_s), "--warm", "1"]
        return self.closed(number, *words, seconds=seconds)

    def warm_up(self, models: Sequence[str] = MODELS[:3]) -> None:
        """Waits until the application answers; calls each model once, as first uses are slow."""
        found: dict[str, Any] = {}
        for _ in range(60):
            found = self.closed(2, "--model", FAST, "--warm", "0.1", seconds=0.4)
            if found["requests"]:
                break
        else:
            raise LoadFailed(f"no good answer: {found['errors']}")
        for model in models:
            words = ["--stream", "--model", model, "--warm", "0.3"]
            self.closed(4, *words, seconds=0.8)
        self.closed(16, "--model", FAST, seconds=1)


# --- figures ----------------------------------------------------------------------------------


def low_load(bench: Bench) -> Figures:
    """Latency and time to the first chunk at a rate without queueing; upstream's part included."""

    def at_rate(rate: int, model: str, *words: str) -> dict[str, Any]:
        rated = ["--rate", str(rate), "--model", model, *words]
        return _answered(bench, lambda seconds: bench.load(*rated, "--seconds", str(seconds)))

    whole = at_rate(LOW_RATE_PER_S, FAST)["latency_ms"]
    streamed = at_rate(LOW_STREAM_RATE_PER_S, SHORT_PACED, "--stream")["first_chunk_ms"]
    return {
        "latency_p50_ms": whole["p50"],
        "latency_p99_ms": whole["p99"],
        "first_chunk_p50_ms": streamed["p50"],
        "first_chunk_p99_ms": streamed["p99"],
    }


def requests(bench: Bench, clients: int = 32) -> Figures:
    found = _answered(
        bench, lambda seconds: bench.closed(clients, "--model", FAST, seconds=seconds)
    )
    return {
        "cpu_ms_per_request": found["cpu_ms_per_request"],
        "requests_per_s": found["requests_per_s"],
        **_failures(found),
    }


def chunks(bench: Bench) -> Figures:
    found = _answered(
        bench,
        lambda seconds: bench.streams(PACED_STREAMS, PACED, seconds=seconds),
        counted="chunks",
    )
    return {
        "cpu_us_per_chunk": found["cpu_us_per_chunk"],
        "transit_p99_ms": found["transit_ms"]["p99"],
        **_failures(found),
    }


def images(bench: Bench) -> Figures:
    words = ["--image", IMAGE_MODEL]
    found = bench.load(
        *words, "--clients", "4", "--seconds", str(bench.seconds), url=bench.server.image_url
    )
    if not found["requests"]:
        return {}
    return {"image_cpu_ms": found["cpu_ms_per_request"], **_failures(found)}


def large_bodies(bench: Bench) -> Figures:
    """Requests of a coding agent, and ones with a picture of 5 MB; and a client that is alone."""
    figures: Figures = {}
    for name, clients, words in (
        ("agent_cpu_ms", 8, ["--agent"]),
        ("picture_in_cpu_ms", 4, ["--body-bytes", str(PICTURE_BYTES)]),
        ("lone_cpu_ms", 1, []),
    ):
        found = bench.closed(clients, "--model", FAST, *words)
        if found["requests"]:
            figures |= {name: found["cpu_ms_per_request"], **_failures(found)}
    return figures


def over_tls(bench: Bench) -> Figures:
    """CPU of requests and chunks once more, where the upstream speaks TLS."""
    found = {**requests(bench), **chunks(bench)}
    names = {"cpu_ms_per_request": "tls_cpu_ms", "cpu_us_per_chunk": "tls_cpu_us_per_chunk"}
    told = {new: found[old] for old, new in names.items()}
    return told | ({"failures": found["failures"]} if "failures" in found else {})


def memory(bench: Bench, numbers: tuple[int, ...] = (200, 1000)) -> Figures:
    """Resident memory with nothing open, and with many slow streams open at once."""
    figures = {"rss_mib": rss_mib(*bench.server.pids)}
    for number in numbers:
        found = bench.streams(number, SLOW, ramp_s=2 + number / 500, seconds=2)
        figures[f"rss_{number}_mib"] = found["rss_mib"]
        # Below the number when the server did not keep up, and then the figure means less.
        figures[f"rss_{number}_chunks_per_s"] = found["chunks_per_s"]
    return figures


def streams_held(bench: Bench, first: int) -> Figures:
    """The most streams of a chunk every 20 ms whose gaps stay short, to within about 8 %."""
    held, failed, number = 0, None, first
    load_limited = False
    for _ in range(9):
        found = bench.streams(number, PACED, seconds=3)
        enough = found["chunks_per_s"] >= DELIVERED_SHARE * number * CHUNKS_DUE_PER_S
        gap_ms = found["gap_ms"].get("p99", float("inf"))
        if enough and gap_ms < LONGEST_GAP_MS and not found["errors"]:
            held = number
        else:
            failed = number
            cores = found["cores_used"]
            load_limited = cores["load"] + cores["mock"] > BUSY_CORE
        if held >= MOST_STREAMS or (failed and failed - held <= max(4, held * 0.08)):
            break
        number = min(MOST_STREAMS, int(number * 1.4)) if failed is None else (held + failed) // 2
    return {"streams_held": held, "streams_load_limited": float(load_limited)}


def _answered(
    bench: Bench, ask: Callable[[float], dict[str, Any]], counted: str = "requests"
) -> dict[str, Any]:
    """What was found in a window that has answers: a longer one where the usual has none."""
    for seconds in (bench.seconds, PATIENT_S):
        found = ask(seconds)
        if found[counted]:
            return found
    raise LoadFailed(f"no good answer within {PATIENT_S} s: {found['errors'] or 'only silence'}")


def _failures(found: dict[str, Any]) -> Figures:
    failures = sum(found["errors"].values())
    return {"failures": float(failures)} if failures else {}


# --- a round ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round measures."""

    seconds: float = 3
    chunks: bool = True
    # All others that take no longer than these.
    other_figures: bool = True
    large_bodies: bool = True
    memory: bool = True
    streams_held: bool = True
    tls: bool = True

    def of_round(self, number: int) -> "Plan":
        """What takes longest, and varies least beside the rest, is measured in the first one."""
        return replace(self, memory=False, streams_held=False, tls=False) if number else self

    def of_server(self, server: Server) -> "Plan":
        """What of it that server's row has."""
        plan = self
        if server.extent != "all":
            plan = replace(plan, memory=False, streams_held=False, tls=False)
        if server.extent in ("cpu", "requests"):
            plan = replace(plan, other_figures=False, large_bodies=False)
        if server.extent == "requests":
            plan = replace(plan, chunks=False)
        return plan


QUICK = Plan(seconds=2, large_bodies=False, memory=False, streams_held=False, tls=False)


def figures_of(
    server: Server, mock: Mock, cores: Cores, plan: Plan, tell: Callable[[str], None]
) -> Figures:
    """All figures that could be had; `tell` hears why another could not."""
    plan = plan.of_server(server)
    with benched(server, mock, cores, plan.seconds) as bench:
        figures = _all_of(_steps(bench, server, plan), tell)
    if plan.tls and mock.tls_url:
        try:
            with benched(server, mock, cores, plan.seconds, tls=True) as bench:
                figures |= over_tls(bench)
        except (DidNotStart, LoadFailed) as error:
            tell(f"with TLS: {error}")
    return figures


@contextmanager
def benched(
    server: Server, mock: Mock, cores: Cores, seconds: float, *, tls: bool = False
) -> Iterator[Bench]:
    """The server, running and warmed up."""
    url, authority = (mock.tls_url, mock.authority) if tls else (mock.url, None)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # nginx's worker runs as another user
        place = Place(Path(name), url, cores.server, cores.load, authority)
        with server.running(place) as running:
            bench = Bench(running, mock, cores, max(seconds, server.window_s))
            bench.warm_up(MODELS[:3] if server.extent in ("all", "some") else MODELS[:2])
            yield bench


def _steps(bench: Bench, server: Server, plan: Plan) -> list[Callable[[], Figures]]:
    steps: list[Callable[[], Figures]] = [partial(requests, bench)]
    if plan.chunks:
        steps.append(partial(chunks, bench))
    if plan.other_figures:
        steps += [partial(low_load, bench), partial(images, bench)]
        steps.append(lambda: {"start_s": bench.server.started.after_s})
    if plan.large_bodies:
        steps.append(partial(large_bodies, bench))
    if plan.memory:
        steps.append(partial(memory, bench))
    if plan.streams_held:
        steps.append(partial(streams_held, bench, server.first_streams))
    return steps


def _all_of(steps: Iterable[Callable[[], Figures]], tell: Callable[[str], None]) -> Figures:
    """One that fails takes no other with it."""
    figures: Figures = {}
    for step in steps:
        try:
            figures |= step()
        except LoadFailed as error:
            tell(str(error))
    return figures


def direct_figures(mock: Mock, cores: Cores, plan: Plan) -> Figures:
    """The mock asked directly: what is subtracted to get added latencies."""
    running = Running(Started(mock.pid, 0), f"{mock.url}{API_PATH}/v1")
    bench = Bench(running, mock, cores, plan.seconds)
    bench.warm_up()
    return low_load(bench)
