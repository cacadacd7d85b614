"""One worker under half a minute of each hostile client, while an honest key chats beside it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import pytest

from tests.drills.hostile import KINDS
from tests.gateway import ROOT, GatewayProcess, running_gateway
from tests.keys.drills import process_figures
from tests.keys.load import ask, callers
from workers_ai.simulator.serve import RunningSimulator

ATTACK_S = float(os.environ.get("DRILL_SECONDS", "30"))
IDLE_S = 8.0
CALLERS = 4
MOST_TIMES_SLOWER = 10
MOST_RESIDENT_MIB = 400
# No name server answers there.
SILENT = "127.53.0.1"
WITH_SILENT_DNS = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@contextmanager
def simulator_apart() -> Iterator[RunningSimulator]:
    """In a process of its own, so that what the attackers ask of it holds up nobody's clock."""
    words = [sys.executable, "-m", "workers_ai.simulator", "--port", "0", "--speed", "100"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = process.stdout.readline().split()[-1].removesuffix("/client/v4")
        yield RunningSimulator(None, address)  # type: ignore[arg-type]
    finally:
        process.kill()
        process.communicate()


def begun(kind: str, url: str, key: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "tests.drills.hostile", kind, url, key, str(ATTACK_S)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def silent_dns(folder: Path) -> list[str]:
    """Words before a command, which then asks a name server that says nothing."""
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {SILENT}\n")
    words = ["unshare", "--mount", "sh", "-c", WITH_SILENT_DNS, str(settings)]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("a name server of the test's own takes a mount namespace")
    return words


async def latencies_ms(gateway: GatewayProcess, key: str, seconds: float) -> list[float]:
    """Of whole chats; raises AssertionError if one fails."""
    found = []
    until = time.monotonic() + seconds
    async with callers(gateway, key) as client:

        async def chat() -> None:
            while time.monotonic() < until:
                begun = time.monotonic()
                asked = await ask(client, "chat")
                assert (asked.status, asked.whole) == (200, True), asked
                found.append((time.monotonic() - begun) * 1000)
                await asyncio.sleep(0.02)

        await asyncio.gather(*(chat() for _ in range(CALLERS)))
    return found


def p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


async def most_resident_mib(pid: int, over: asyncio.Event) -> float:
    most = 0
    while not over.is_set():
        most = max(most, process_figures(pid)["rss_kib"])
        await asyncio.sleep(0.1)
    return most / 1024


@pytest.mark.parametrize("kind", KINDS)
async def test_an_honest_key_chats_beside(
    kind: str, tmp_path: Path, django_db_blocker: pytest.FixtureRequest, tell: Callable[[str], None]
) -> None:
    through = silent_dns(tmp_path) if kind == "DNS silence" else []
    with (
        simulator_apart() as upstream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        django_db_blocker.unblock(),  # type: ignore[attr-defined]
        running_gateway(tmp_path / "gateway", upstream, through=through) as gateway,
    ):
        if through:
            silent.bind((SILENT, 53))
        honest, hostile = gateway.issue_key("honest"), gateway.issue_key("hostile")
        await latencies_ms(gateway, honest, 2)
        [worker] = gateway.worker_pids
        idle = await latencies_ms(gateway, honest, IDLE_S)
        before_mib = process_figures(worker)["rss_kib"] / 1024
        attacker = begun(kind, gateway.url, hostile)
        over = asyncio.Event()
        watching = asyncio.create_task(most_resident_mib(worker, over))
        try:
            under = await latencies_ms(gateway, honest, ATTACK_S)
        finally:
            over.set()
            answers, _ = await asyncio.to_thread(attacker.communicate, timeout=60)
        most_mib = await watching
        tell(
            f"{kind:>16}: p99 {p99(idle):.0f} -> {p99(under):.0f} ms"
            f" ({len(idle)}, {len(under)} chats), {before_mib:.0f} -> {most_mib:.0f} MiB,"
            f" answered {answers.strip()}"
        )
        assert attacker.returncode == 0
        assert gateway.worker_pids == [worker], "the worker was replaced"
        assert p99(under) < MOST_TIMES_SLOWER * p99(idle)
        assert most_mib < MOST_RESIDENT_MIB
        checked = gateway.manage("check_ledger", check=False)
        assert checked.returncode == 0, json.dumps(checked.stdout)
