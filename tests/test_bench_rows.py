"""The benchmark's rows: which there are, what each has, what becomes of one that fails."""

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import hosts, litellm, measure, peers, report, services
from bench.features import FEATURES
from bench.gateways import GATEWAY
from bench.mock_upstream import IMAGE_MODEL, MODELS
from bench.processes import cpu_s, rss_mib
from bench.server import Place, Running, Server, Started

CORES = measure.Cores(0, 1)
MOCK = measure.Mock("http://127.0.0.1:1", 1)


def test_a_feature_has_cpu_alone_and_a_further_round_no_more_than_the_first() -> None:
    plan = measure.Plan()
    assert plan.of_server(GATEWAY) == plan
    cpu = plan.of_server(FEATURES[0])
    assert cpu.chunks and not plan.of_server(FEATURES[1]).chunks
    assert not (cpu.other_figures or cpu.large_bodies or cpu.memory or cpu.streams_held or cpu.tls)
    some = plan.of_server(hosts.THREE_HOSTS)
    assert some.other_figures and some.large_bodies and not (some.memory or some.tls)


def test_rows_have_names_of_their_own_and_can_be_chosen() -> None:
    names = [server.name for server in command.all_servers()]
    assert len(set(names)) == len(names)
    assert command.named_servers("gateway-3-hosts,gateway") == [GATEWAY, hosts.THREE_HOSTS]
    with pytest.raises(argparse.ArgumentTypeError, match="no server is named gatway"):
        command.named_servers("gatway")


def test_every_second_round_goes_backwards_without_those_that_one_is_enough_for() -> None:
    first = Server("a", "", "", 1)
    once = Server("b", "", "", 1, once=True)
    last = Server("c", "", "", 1)
    assert command.in_round([first, once, last], 0) == [first, once, last]
    assert command.in_round([first, once, last], 1) == [last, first]
    assert command.in_round([first, once, last], 2) == [first, last]


def test_the_balancer_is_the_one_of_compose_with_the_gateways_addresses(tmp_path: Path) -> None:
    ours = hosts.BALANCER.read_text()
    text = hosts.balancer(ours, tmp_path, 8123, ["127.0.0.1:8001", "127.0.0.1:8002"])
    assert "upstream gateways { server 127.0.0.1:8001; server 127.0.0.1:8002; }" in text
    assert "listen 127.0.0.1:8123;" in text
    assert "/tmp/" not in text.replace(str(tmp_path), "")
    kept = {line.strip() for line in text.splitlines()}
    assert {"proxy_buffering off;", 'proxy_set_header Connection "";'} <= kept
    with pytest.raises(RuntimeError, match="has no 'listen 8000;'"):
        hosts.balancer(ours.replace("listen 8000;", ""), tmp_path, 8123, [])


def test_several_processes_are_measured_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.processes.process_tree", lambda pid: [pid, pid + 1])
    monkeypatch.setattr("bench.processes._rss_mib", float)
    monkeypatch.setattr("bench.processes.TICKS_PER_S", 1)
    monkeypatch.setattr("bench.processes._stat", lambda pid: ["0"] * 11 + [str(pid), "0", "0", "0"])
    assert cpu_s(10, 20) == 10 + 11 + 20 + 21
    assert rss_mib(10, 20) == 21


def test_what_is_apart_is_told_to_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(Started(7, 0.5), "http://127.0.0.1:2/v1", apart=(8,))
    asked = asked_of_the_load(monkeypatch, running)
    assert asked[asked.index("--apart-pid") :][:3] == ["--apart-pid", "8", "--mock-pid"]


def asked_of_the_load(monkeypatch: pytest.MonkeyPatch, running: Running) -> list[str]:
    asked: list[str] = []

    def run(command: list[str], **how: Any) -> Any:
        asked.extend(command)
        return argparse.Namespace(returncode=0, stdout="{}")

    monkeypatch.setattr(measure.subprocess, "run", run)
    measure.Bench(running, MOCK, CORES, 2).closed(2, "--model", measure.FAST)
    return asked


# --- LiteLLM ----------------------------------------------------------------------------------


def test_litellm_has_each_model_with_a_price_and_writes_its_rows_within_a_window() -> None:
    bare = json.loads(litellm.config("http://127.0.0.1:1/v1"))
    assert [one["model_name"] for one in bare["model_list"]] == [*MODELS, IMAGE_MODEL]
    assert "proxy_batch_write_at" not in bare["general_settings"]
    team = json.loads(litellm.config("http://127.0.0.1:1/v1", writes_every_s=1))
    assert team["general_settings"]["proxy_batch_write_at"] == 1
    assert all(one["litellm_params"]["input_cost_per_token"] > 0 for one in team["model_list"])


def test_prismas_engine_tells_its_process_and_gets_the_words_it_is_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = min(os.sched_getaffinity(0))
    monkeypatch.setattr(litellm.shutil, "which", lambda name: "/bin/echo")
    engine = litellm.EngineProgram(Place(tmp_path, "http://127.0.0.1:1", core, core))
    done = subprocess.run([engine.program, "-p", "8123"], capture_output=True, text=True)
    assert done.stdout.split()[1:] == ["-p", "8123"]
    assert engine.pid() > 1


def test_litellm_of_a_team_says_in_a_line_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "CACHE", tmp_path)
    monkeypatch.setattr(services, "has_postgres", lambda: True)
    row = litellm.LITELLM_OF_A_TEAM
    assert row.missing() == "Prisma, by which LiteLLM asks its database, is not installed"
    monkeypatch.setattr(services, "has_postgres", lambda: False)
    assert row.missing() == "PostgreSQL is not installed"


# --- what fails -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Somewhere(Server):
    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        yield Running(Started(1, 0.5), "http://127.0.0.1:2/v1", names={measure.FAST: "fast"})


def found(**told: Any) -> dict[str, Any]:
    return {
        "requests": 10,
        "chunks": 10,
        "errors": {},
        "cpu_ms_per_request": 1.0,
        "cpu_us_per_chunk": 2.0,
        "requests_per_s": 5.0,
        "transit_ms": {"p99": 3.0},
        **told,
    }


def test_a_figure_that_cannot_be_had_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(self: measure.Bench, *words: str, url: str = "") -> dict[str, Any]:
        return found() if "--stream" in words or "0.4" in words else found(requests=0)

    monkeypatch.setattr(measure.Bench, "load", load)
    told: list[str] = []
    server = Somewhere("one", "", "", 1, extent="cpu")
    figures = measure.figures_of(server, MOCK, CORES, measure.Plan(), told.append)
    assert figures == {"cpu_us_per_chunk": 2.0, "transit_p99_ms": 3.0}
    assert told == ["no good answer within 15 s: only silence"]


def test_a_server_that_answers_nothing_in_a_window_gets_a_longer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows = []

    def load(self: measure.Bench, *words: str, url: str = "") -> dict[str, Any]:
        windows.append(words[words.index("--seconds") + 1])
        return found(requests=len(windows) - 1)

    monkeypatch.setattr(measure.Bench, "load", load)
    running = Running(Started(1, 0.5), "http://127.0.0.1:2/v1")
    figures = measure.requests(measure.Bench(running, MOCK, CORES, 2))
    assert figures["cpu_ms_per_request"] == 1.0
    assert windows == ["2", "15"]


def test_a_load_that_does_not_end_fails_that_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **how: Any) -> None:
        raise measure.subprocess.TimeoutExpired(command, 180)

    monkeypatch.setattr(measure.subprocess, "run", run)
    running = Running(Started(1, 0.5), "http://127.0.0.1:2/v1")
    with pytest.raises(measure.LoadFailed, match="did not end within 180 s"):
        measure.Bench(running, MOCK, CORES, 2).load()


def test_the_load_asks_all_that_serve_for_the_names_that_models_have_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = Running(
        Started(7, 0.5), "http://127.0.0.1:2/v1", beside=(8, 9), names={measure.FAST: "fast"}
    )
    asked = asked_of_the_load(monkeypatch, running)
    assert asked[asked.index("--server-pid") :][:4] == ["--server-pid", "7", "8", "9"]
    assert asked[asked.index("--model") + 1] == "fast"


# --- what each feature costs ------------------------------------------------------------------


def test_a_feature_costs_what_it_takes_more_than_the_gateway_of_its_round() -> None:
    rounds = []
    for number, (own, traced) in enumerate([(0.5, 0.6), (1.0, 1.3)]):
        for server, cpu in (("gateway", own), ("gateway-traced", traced)):
            figures = {"cpu_ms_per_request": cpu, "cpu_us_per_chunk": 50.0}
            rounds.append({"server": server, "round": number, "figures": figures})
    titles = {"gateway": "this gateway", "gateway-traced": "this gateway: traces"}
    result = {"rounds": rounds, "titles": titles, "features": {"gateway-traced": "traces"}}
    row = report.features_table(result).split("\n")[2]
    assert row == "| traces | +0.2 (+0.1 to +0.3) | +0 (+0 to +0) |"
    assert report.titles_of(result) == {"gateway": "this gateway"}


def test_a_feature_that_saves_has_a_minus() -> None:
    assert report.with_spread([-0.25]) == "−0.25"
    assert report.with_spread([]) == "–"
