"""Starts processes on one core, measures them as a whole tree, ends them by their ids."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024
# LiteLLM takes 8 s of CPU to start, and on a busy machine has taken more than two minutes.
START_LIMIT_S = 300


class DidNotStart(Exception):
    """A server ended, or did not listen in time; the text says which and quotes its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    command: Sequence[str],
    *,
    core: int | str,
    log_path: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Runs the command on one core, or on several ("0,1"); its output goes into the log."""
    with log_path.open("ab") as log:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_until_listening(
    url: str, process: "subprocess.Popen[bytes]", log_path: Path, limit_s: float = START_LIMIT_S
) -> None:
    address = urlsplit(url)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"ended with {process.returncode}: {tail(log_path)}")
        try:
            socket.create_connection((str(address.hostname), address.port or 80), 0.5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise DidNotStart(f"did not listen within {limit_s:g} s: {tail(log_path)}")


def wait_until_answering(
    url: str, process: "subprocess.Popen[bytes]", log_path: Path, limit_s: float = START_LIMIT_S
) -> None:
    """Until something answers a request, whatever it says. Who listens may not serve yet: a
    supervisor listens for its workers."""
    deadline = time.monotonic() + limit_s
    address = urlsplit(url)
    asked = f"GET /v1/models HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"ended with {process.returncode}: {tail(log_path)}")
        with (
            contextlib.suppress(OSError),
            socket.create_connection((str(address.hostname), address.port or 80), 5) as peer,
        ):
            peer.sendall(asked.encode())
            if peer.recv(1):
                return
        time.sleep(0.005)
    raise DidNotStart(f"did not answer within {limit_s:g} s: {tail(log_path)}")


def tail(log_path: Path) -> str:
    text = log_path.read_text(errors="replace") if log_path.exists() else ""
    return text[-800:].strip() or "it printed nothing"


def end(process: "subprocess.Popen[bytes]", patience_s: float = 5) -> None:
    """Ends the process and its descendants: by SIGTERM, then by SIGKILL."""
    tree = process_tree(process.pid)
    _signal(tree[:1], signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    _signal(tree, signal.SIGKILL)
    process.wait()


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


# --- figures of a tree ------------------------------------------------------------------------


def process_tree(pid: int) -> list[int]:
    """The process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    tree = [pid]
    for member in tree:  # grows while it is read
        tree += children.get(member, [])
    return tree


def parent_of(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def cpu_s(*pids: int) -> float:
    """CPU seconds, user and system, that the trees have used so far, ended processes included."""
    ticks = 0
    for member in _trees(pids):
        fields = _stat(member)
        if fields:
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS_PER_S


def rss_mib(*pids: int) -> float:
    """Resident memory of the trees' largest process: of the worker, not of its supervisor."""
    return max(map(_rss_mib, _trees(pids)), default=0.0)


def _trees(pids: Sequence[int]) -> list[int]:
    return [member for pid in pids for member in process_tree(pid)]


def _rss_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * PAGE_BYTES / MIB


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before them may have spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
