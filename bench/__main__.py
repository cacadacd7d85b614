"""`make bench`: measures all servers in rounds, prints a table and writes docs/benchmarks.md."""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import growth, measure, peers, report
from bench.gateways import GATEWAY
from bench.processes import DidNotStart
from bench.server import ROOT, Server
from bench.servers import MORE, SERVERS, machine

PAGE = ROOT / "docs" / "benchmarks.md"
RESULT = peers.CACHE / "result.json"
# Of a quick run, or of some servers: no page is written from these.
PART = peers.CACHE / "part.json"
FULL_ROUNDS = 3
LOG_ROWS = 5_000_000
# By which one server's row fails, and no other.
FAILURES = (DidNotStart, measure.LoadFailed, RuntimeError, OSError, subprocess.SubprocessError)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument(
        "--quick",
        action="store_true",
        help="one short round, large peers only where installed already",
    )
    options.add_argument("--growth", action="store_true", help="how this gateway's cost grows")
    options.add_argument("--rounds", type=int, help=f"{FULL_ROUNDS} unless told, 1 when quick")
    options.add_argument(
        "--only",
        default=[],
        type=named_servers,
        metavar="NAME[,…]",
        help="these servers alone: " + ", ".join(server.name for server in all_servers()),
    )
    options.add_argument(
        "--log-rows", type=int, default=LOG_ROWS, help="rows of the large log (--growth)"
    )
    options.add_argument("--cores", default="0,1", metavar="SERVER,LOAD")
    options.add_argument("--result", type=Path, help="where the figures are kept")
    options.add_argument(
        "--report", action="store_true", help="only write the page again, from the kept figures"
    )
    return options


def all_servers() -> tuple[Server, ...]:
    return (*SERVERS, *MORE)


def named_servers(names: str) -> list[Server]:
    there = {server.name: server for server in all_servers()}
    unknown = [name for name in names.split(",") if name not in there]
    if unknown:
        raise argparse.ArgumentTypeError(f"no server is named {', '.join(unknown)}")
    return [server for server in all_servers() if server.name in names.split(",")]


def main() -> int:
    arguments = parser().parse_args()
    is_part = arguments.quick or arguments.only
    arguments.result = arguments.result or (PART if is_part else RESULT)
    if arguments.report:
        result = json.loads(arguments.result.read_text())
        write_page(result)
        print(report.summary(result))
        return 0
    # When this run is terminated, what it has started must end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server_core, load_core = (int(core) for core in arguments.cores.split(","))
    cores = measure.Cores(server_core, load_core)
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        print("It takes Linux, taskset and two cores: one for the server, one for the load.")
        return 1
    if arguments.growth:
        return measure_growth(arguments, cores)
    result = measure_all(arguments, cores)
    print("\n" + report.summary(result))
    if not is_part:
        write_page(result)
    measured = {one["server"] for one in result["rounds"]}
    wanted = arguments.only or [GATEWAY]
    return 0 if all(server.name in measured for server in wanted) else 1


def measure_all(arguments: argparse.Namespace, cores: measure.Cores) -> dict[str, Any]:
    not_installed = peers.install(large=not arguments.quick)
    chosen = arguments.only or list(SERVERS if arguments.quick else all_servers())
    result = new_result(chosen)
    servers = []
    for server in chosen:
        why = not_installed.get(server.name) or server.missing()
        if why:
            result["missing"][server.name] = why
        else:
            servers.append(server)
            result["versions"][server.name] = server.version()
    has_openssl = shutil.which("openssl") is not None
    plan = measure.QUICK if arguments.quick else measure.Plan()
    rounds = arguments.rounds or (1 if arguments.quick else FULL_ROUNDS)
    if plan.tls and not has_openssl:
        print("Without openssl nothing is measured over TLS.", file=sys.stderr, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-run-") as folder,
        measure.running_mock(cores, Path(folder), tls=plan.tls and has_openssl) as mock,
    ):
        for number in range(rounds):
            note(result, report.DIRECT, number, measure.direct_figures(mock, cores, plan))
            for server in in_round(servers, number):
                tell = partial(failed, result, server, number)
                try:
                    figures = measure.figures_of(server, mock, cores, plan.of_round(number), tell)
                except FAILURES as error:
                    tell(str(error))
                    continue
                note(result, server.name, number, figures)
            keep(result, arguments.result)
    return result


def in_round(servers: list[Server], number: int) -> list[Server]:
    """Every second round goes backwards, and leaves those out that one round is enough for."""
    if number % 2:
        servers = servers[::-1]
    return [server for server in servers if not (number and server.once)]


def failed(result: dict[str, Any], server: Server, number: int, why: str) -> None:
    print(f"{server.title}: {why}", file=sys.stderr, flush=True)
    result["missing"][server.name] = f"in round {number + 1} not all: {why}"


def new_result(servers: list[Server]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "titles": {server.name: server.title for server in servers},
        "does": {server.name: server.does for server in servers},
        "features": {server.name: server.feature for server in servers if server.feature},
        "versions": {},
        "missing": {},
        "rounds": [],
    }


def note(result: dict[str, Any], server: str, number: int, figures: measure.Figures) -> None:
    result["rounds"].append({"server": server, "round": number, "figures": figures})
    shown = ", ".join(f"{name} {report.rounded(value)}" for name, value in figures.items())
    print(f"{time.strftime('%H:%M:%S')} round {number + 1} {server}: {shown}", flush=True)


def keep(result: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False))


def write_page(result: dict[str, Any]) -> None:
    PAGE.write_text(report.page(result))
    print(f"Wrote {PAGE.relative_to(ROOT)}.")


def measure_growth(arguments: argparse.Namespace, cores: measure.Cores) -> int:
    """Adds its figures to those of the last full run, and so to the page."""
    found = growth.measure(cores, measure.Plan().seconds, arguments.log_rows)
    print(report.growth_section(found))
    if arguments.result.exists():
        result = json.loads(arguments.result.read_text())
        result["growth"] = found
        keep(result, arguments.result)
        write_page(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
