"""Measures how the cost grows with clients, keys, rows of the log, models and the body's size."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.gateways import GATEWAY, Gateway
from bench.measure import FAST, Cores, benched, low_load, requests, running_mock

CLIENTS = (1, 8, 64, 512)
KEYS = (10, 1000, 100_000)
MODELS = (65, 1000)
BODY_BYTES = (1_000, 5_000_000)


def measure(cores: Cores, seconds: float, log_rows: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as name:
        folder = Path(name)
        found = [*_clients_and_bodies(cores, folder, seconds)]
        for keys in KEYS:
            found.append(
                _one(f"{keys:,} keys", replace(GATEWAY, keys=keys), cores, folder, seconds)
            )
        for rows in (0, log_rows):
            gateway = replace(GATEWAY, log_rows=rows)
            found.append(_one(f"{rows:,} rows in the log", gateway, cores, folder, seconds))
        for models in MODELS:
            found.append(_one(f"{models:,} models", GATEWAY, cores, folder, seconds, models=models))
        return found


def _clients_and_bodies(cores: Cores, folder: Path, seconds: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with running_mock(cores, folder) as mock, benched(GATEWAY, mock, cores, seconds) as bench:
        for clients in CLIENTS:
            what = f"{clients} client{'s' if clients > 1 else ''}"
            found.append({"what": what, **requests(bench, clients)})
        for body_bytes in BODY_BYTES:
            words = ["--model", FAST, "--body-bytes", str(body_bytes)]
            cost = bench.closed(4, *words)
            what = f"bodies of {body_bytes / 1000:,.0f} KB"
            found.append({"what": what, "cpu_ms_per_request": cost.get("cpu_ms_per_request")})
    return found


def _one(
    what: str, gateway: Gateway, cores: Cores, folder: Path, seconds: float, *, models: int = 65
) -> dict[str, Any]:
    with (
        running_mock(cores, folder, models=models) as mock,
        benched(gateway, mock, cores, seconds) as bench,
    ):
        return {"what": what, **low_load(bench), **requests(bench)}
