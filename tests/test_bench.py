"""The benchmark's own parts: the mock's wire shapes, the tables, the command line. No timings."""

import json
import os
import random
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import bodies, history, measure, mock_upstream, pages_asked, peers, report
from bench.mock_upstream import API_PATH, IMAGE_MODEL, MODELS, model_name
from bench.processes import end, free_port, start, wait_until_answering
from catalog.classify.by_task import classify
from catalog.pricing.costs import cost_nano_usd
from catalog.pricing.prices import prices_from_json
from keys.models import DayTotal, RequestLog
from tests.needs import program
from workers_ai.caller import Caller
from workers_ai.client import Account, Answer, EventSource, WorkersAIClient
from workers_ai.sse import EventDecoder

ROOT = Path(__file__).resolve().parent.parent
CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


@pytest.fixture(scope="module")
def mock_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log_path = tmp_path_factory.mktemp("mock") / "log"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = ["--port", str(port), "--image-chars", "400", "--models", "8"]
    command = [sys.executable, "-m", "bench.mock_upstream", *words]
    process = start(command, core=CORE, log_path=log_path, folder=ROOT)
    try:
        wait_until_answering(url, process, log_path, 20)
        yield url
    finally:
        end(process)


@pytest.fixture
async def upstream(mock_url: str) -> Any:
    base_url = mock_url + "/client/v4"
    account = Account(mock_upstream.ACCOUNT_ID, mock_upstream.API_TOKEN, base_url)
    client = WorkersAIClient(account)
    yield client
    await client.aclose()


def chat_payload(model: str, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [], **more}).encode()


async def test_the_gateways_client_reads_the_mocks_whole_chat(upstream: WorkersAIClient) -> None:
    answer = await upstream.chat(chat_payload(model_name(3, 0)), caller=Caller("1"), stream=False)
    assert isinstance(answer, Answer)
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 60


@pytest.mark.parametrize("gap_ms", [0, 1])
async def test_the_mock_streams_as_many_chunks_as_the_model_says(
    upstream: WorkersAIClient, gap_ms: int
) -> None:
    payload = chat_payload(model_name(7, gap_ms), stream=True)
    answer = await upstream.chat(payload, caller=Caller("1"), stream=True)
    assert isinstance(answer, EventSource)
    events = [data async for events in answer for _, data in events]
    assert events[-1].strip() == b"[DONE]"
    chunks = [json.loads(data) for data in events[:-1]]
    contents = [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-2]]
    assert len(contents) == 7
    assert all("ts=" in content for content in contents)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["prompt_tokens"] == 42


async def test_the_mock_answers_pictures_in_an_envelope(upstream: WorkersAIClient) -> None:
    answer = await upstream.run(IMAGE_MODEL, b'{"prompt":"a cube"}', caller=Caller("1"))
    assert len(answer.json()["image"]) == 400


async def test_the_catalog_finds_chat_and_picture_models_in_the_mock(
    upstream: WorkersAIClient,
) -> None:
    entries = await upstream.list_models()
    assert len(entries) == 8
    served = {}
    for entry in entries:
        schema = await upstream.model_schema(entry["name"])
        served[entry["name"]] = classify(entry, schema).endpoints
    assert all("chat" in served[name] for name in MODELS)
    assert "images" in served[IMAGE_MODEL]


def test_the_mock_takes_a_body_in_pieces_and_chunks(mock_url: str) -> None:
    def pieces() -> Iterator[bytes]:
        body = chat_payload(model_name(2, 0), stream=True, padding="x" * 100_000)
        for start_at in range(0, len(body), 30_000):
            yield body[start_at : start_at + 30_000]

    url = f"{mock_url}{API_PATH}/v1/chat/completions"
    text = httpx.post(url, content=pieces(), timeout=10).content
    decoder = EventDecoder()
    assert len([*decoder.feed(text), *decoder.close()]) == 2 + 3


def test_the_mock_speaks_tls_with_a_certificate_that_can_be_checked(tmp_path: Path) -> None:
    program("openssl")
    with measure.running_mock(measure.Cores(CORE, CORE), tmp_path, models=8, tls=True) as mock:
        trusting = ssl.create_default_context(cafile=mock.authority)
        assert httpx.get(mock.tls_url, verify=trusting, timeout=10).status_code == 404
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            httpx.get(mock.tls_url, timeout=10)


def test_the_mock_has_no_other_paths(mock_url: str) -> None:
    answer = httpx.get(mock_url + "/elsewhere", timeout=10)
    assert answer.status_code == 404
    assert answer.json()["success"] is False


ASK_WORKER = """
import worker from %r;
const env = { PROXY_API_KEY: "sk", CLOUDFLARE_API_TOKEN: "t", UPSTREAM: process.argv[1] };
for (const [key, path, body] of JSON.parse(process.argv[2])) {
  const headers = { authorization: `Bearer ${key}` };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await worker.fetch(new Request("http://here" + path, request), env);
  console.log(JSON.stringify([answer.status, await answer.text()]));
}
"""


def test_the_worker_checks_its_key_and_writes_each_chunk_anew(mock_url: str) -> None:
    """In Node here, which knows all that it uses; the benchmark runs it in workerd."""
    chat = {"model": model_name(3, 0), "messages": []}
    asked = [
        ("other", "/v1/chat/completions", chat),
        ("sk", "/v1/chat/completions", chat),
        ("sk", "/v1/chat/completions", {**chat, "stream": True}),
        ("sk", "/v1/images/generations", {"model": IMAGE_MODEL, "prompt": "a cube"}),
    ]
    script = ASK_WORKER % (peers.WORKER / "worker.js").as_uri()
    words = ["--input-type=module", "-e", script, mock_url + API_PATH, json.dumps(asked)]
    done = subprocess.run(
        [program("node"), "--no-warnings", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    refused, whole, streamed, picture = (json.loads(line) for line in done.stdout.splitlines())
    assert refused[0] == 401
    assert json.loads(whole[1])["model"] == chat["model"]
    events = [data for _, data in EventDecoder().feed(streamed[1].encode())]
    assert events[-1] == b"[DONE]"
    chunks = [json.loads(data) for data in events[:-1]]
    assert {chunk["model"] for chunk in chunks} == {chat["model"]}
    assert "p" not in chunks[0], "padding of upstream's is no part of a strict chunk"
    assert chunks[-1]["usage"]["completion_tokens"] == 60
    assert len(json.loads(picture[1])["data"][0]["b64_json"]) == 400


def test_the_load_generator_counts_chunks_and_requests(mock_url: str) -> None:
    url = f"{mock_url}{API_PATH}/v1/chat/completions"
    words = ["--url", url, "--model", model_name(5, 0), "--clients", "2", "--seconds", "0.2"]
    found = run_module("bench.load", *words, "--warm", "0", "--stream")
    counted = json.loads(found)
    assert counted["errors"] == {}
    assert counted["requests"] > 0
    # Of the last streams the end may lie outside of the window.
    assert counted["chunks"] >= counted["requests"] * 5
    assert counted["first_chunk_ms"]["p50"] > 0


def test_an_agents_request_is_as_long_as_it_says_and_each_call_has_its_answer() -> None:
    text = bodies.agent_body(MODELS[0])
    assert 200_000 <= len(text) < 210_000
    body = json.loads(text)
    assert len(body["tools"]) == 60
    turns = body["messages"][2:]
    assert [turn["role"] for turn in turns] == ["assistant", "tool"] * (len(turns) // 2)
    for asked, given in zip(turns[::2], turns[1::2], strict=True):
        assert [call["id"] for call in asked["tool_calls"]] == [given["tool_call_id"]]


@pytest.mark.parametrize("module", ["bench", "bench.load", "bench.mock_upstream", "bench.seed"])
def test_help_is_printed(module: str) -> None:
    assert "usage: python -m " + module in run_module(module, "--help")


def run_module(module: str, *words: str) -> str:
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- report -----------------------------------------------------------------------------------


def one_round(server: str, number: int, **figures: float) -> dict[str, Any]:
    return {"server": server, "round": number, "figures": figures}


def recorded(**changes: Any) -> dict[str, Any]:
    rounds = []
    for number, factor in enumerate((1.0, 1.1, 5.0)):  # the last one had bad luck
        rounds += [
            one_round("direct", number, latency_p50_ms=0.3 * factor),
            one_round(
                "gateway",
                number,
                cpu_ms_per_request=0.4 * factor,
                latency_p50_ms=2.3 * factor,
                streams_held=400,
                rss_1000_mib=140,
            ),
            one_round(
                "portkey",
                number,
                cpu_ms_per_request=1.6 * factor,
                latency_p50_ms=3.3 * factor,
                streams_held=200,
            ),
        ]
    return {
        "date": "2026-11-20 12:00 UTC",
        "machine": "2 cores",
        "python": "3.12.1",
        "load_average": 0.2,
        "titles": {"gateway": "this gateway", "portkey": "Portkey", "litellm": "LiteLLM"},
        "does": {"gateway": "all", "portkey": "less", "litellm": "less"},
        "versions": {"portkey": "1.15.2"},
        "missing": {"litellm": "it could not be installed"},
        "rounds": rounds,
        **changes,
    }


def test_a_figure_is_the_median_of_its_rounds() -> None:
    medians = report.medians_of(recorded()["rounds"])
    assert medians["gateway"]["cpu_ms_per_request"] == pytest.approx(0.44)


def test_latency_is_what_the_server_adds_in_the_same_round() -> None:
    medians = report.medians_of(recorded()["rounds"])
    assert medians["gateway"]["added_latency_p50_ms"] == pytest.approx(2.0 * 1.1)


def test_ratios_say_how_many_times_better_whichever_way_is_better() -> None:
    result = recorded()
    row = report.ratios_table(report.medians_of(result["rounds"]), result["titles"]).split("\n")[2]
    assert row.startswith("| Portkey | 4 × | – | 2 × | 1.5 × |")


def test_targets_say_met_missed_and_not_measured() -> None:
    text = report.targets_table(report.medians_of(recorded()["rounds"]))
    lines = {line.split(" | ")[0].strip("| "): line for line in text.split("\n")}
    assert "| met |" in lines["CPU per request: Portkey's / 3"]
    assert "| met |" in lines["streams held: 1.4 × Portkey's"]
    assert "| **missed** |" in lines["memory at 1000 streams: 100 MiB"]
    assert "| not measured |" in lines["CPU per request: LiteLLM's / 22"]


def test_the_page_names_date_versions_and_peers_that_are_not_in_it() -> None:
    page = report.page(recorded())
    assert "2026-11-20" in page
    assert "3 interleaved rounds" in page
    assert "Portkey (1.15.2)" in page
    assert "LiteLLM: it could not be installed" in page


def test_the_page_says_what_makes_a_figure_doubtful() -> None:
    result = recorded(load_average=3.5)
    result["rounds"][1]["figures"]["failures"] = 4.0
    page = report.page(result)
    assert "The machine was busy" in page
    assert "this gateway: 4 requests of a round failed" in page


def test_the_page_shows_how_the_cost_grows_when_it_was_measured() -> None:
    growth = [{"what": "512 clients", "cpu_ms_per_request": 0.5, "latency_p50_ms": None}]
    assert "| 512 clients | 0.5 | – |" in report.page(recorded(growth=growth))


# --- pages on a large log -----------------------------------------------------------------------


@pytest.fixture
def made_history(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FIRST_ROWS", 20)
    dice = random.Random(1)
    keys = history.make_keys(3, dice)
    history.make_totals(keys, 40, dice)
    history.make_rows(keys, 50, dice)


@pytest.mark.usefixtures("made_history")
def test_a_history_lies_in_the_order_of_its_time_and_its_pages_are_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = list(RequestLog.objects.order_by("pk").values_list("started_at", flat=True))
    assert len(moments) == 50 + history.RARE_ROWS
    assert moments == sorted(moments)
    asker = pages_asked.Asker(pages_asked.signed_in(pages_asked.operator()), None)
    asker.ask("dashboard", ["/admin/?days=365"])
    asker.ask_log("rare", [{"model": history.RARE_MODEL, "stream": "no"}])
    assert [line.pages for line in asker.lines] == [1, 1]
    assert "dashboard" in capsys.readouterr().out


@pytest.mark.usefixtures("made_history")
def test_a_history_costs_what_the_catalog_says_and_a_neuron_11_000_nano_usd() -> None:
    usual = {use.model: use.used for use in history.USES}
    answered = RequestLog.objects.filter(status=200)
    for made in [*answered, *DayTotal.objects.all()]:
        # Neither a row nor a total has the size of pictures and their steps.
        used = usual[made.model]._replace(
            prompt_tokens=made.prompt_tokens or 0,
            completion_tokens=made.completion_tokens or 0,
            cached_tokens=made.cached_tokens or 0,
            images=made.images or 0,
            audio_ms=made.audio_ms or 0,
        )
        assert made.cost_nano_usd == cost_nano_usd(history.catalog_prices(made.model), used)
        assert made.cost_nano_usd > 0
        assert abs(made.neurons_micro * 11_000 - made.cost_nano_usd * 10**6) < 11_000
    for row in RequestLog.objects.all():
        assert prices_from_json(json.loads(row.price)) == history.catalog_prices(row.model)


def test_a_made_up_price_stands_in_the_bundled_catalog() -> None:
    """By hand, of the catalog as it is: 700 tokens at 0.012 USD a million."""
    use = next(use for use in history.USES if use.endpoint == "embeddings")
    assert cost_nano_usd(history.catalog_prices(use.model), use.used) == 8_400
