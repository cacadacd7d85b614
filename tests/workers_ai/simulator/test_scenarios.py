"""The simulator's scenarios: how they are asked for, and that each does what it says."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from workers_ai.simulator.scenarios.registry import REGISTRY, UnknownScenario, checked
from workers_ai.simulator.serve import RunningSimulator, running_simulator

KIMI = "@cf/moonshotai/kimi-k2.6"
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}
# These wait for longer than a test should, or for ever.
WAITING = {"endless", "hang", "stall", "slow", "slow-first-token", "slow-tokens", "busy"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def client(simulator: RunningSimulator) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{simulator.base_url}/accounts/{simulator.account_id}/ai/",
        headers={"authorization": f"Bearer {simulator.api_token}"},
        timeout=10,
    ) as opened:
        yield opened


@pytest.fixture
def api(client: httpx.Client, simulator: RunningSimulator) -> httpx.Client:
    simulator.reset()
    return client


def body_of(text: str, **more: Any) -> dict[str, Any]:
    return {"model": KIMI, "messages": [{"role": "user", "content": text}], **more}


def ask(api: httpx.Client, text: str, **more: Any) -> httpx.Response:
    return api.post("v1/chat/completions", json=body_of(text, **more))


def code_of(answer: httpx.Response) -> int:
    code: int = answer.json()["errors"][0]["code"]
    return code


def data_lines(text: str) -> list[str]:
    return [line[6:] for line in text.splitlines() if line.startswith("data: ")]


# --- How they are asked for -------------------------------------------------------------------


def test_a_directive_in_a_message_is_obeyed(api: httpx.Client) -> None:
    assert code_of(ask(api, "hello [simulate error-3040]")) == 3040


def test_the_model_does_not_see_the_directive(api: httpx.Client) -> None:
    answer = ask(api, "Repeat after me: one [simulate no-usage] two").json()
    assert answer["choices"][0]["message"]["content"] == "one two"


def test_a_directive_in_a_picture_prompt_is_obeyed_in_json_and_form(api: httpx.Client) -> None:
    prompt = "a fox [simulate error-3030]"
    by_json = api.post("run/@cf/leonardo/phoenix-1.0", json={"prompt": prompt})
    form = {"prompt": (None, prompt)}
    by_form = api.post("run/@cf/black-forest-labs/flux-2-dev", files=form)
    assert code_of(by_json) == code_of(by_form) == 3030


def test_a_header_is_obeyed_with_parameters(api: httpx.Client) -> None:
    headers = {"x-simulate": 'error code=8005 status=500 message="It broke"'}
    answer = api.get("models/search", headers=headers)
    assert (answer.status_code, code_of(answer)) == (500, 8005)
    assert "It broke" in answer.json()["errors"][0]["message"]


def test_scenarios_nest(api: httpx.Client) -> None:
    answer = ask(api, "hi [simulate crlf] [simulate no-space] [simulate one-delta]", stream=True)
    assert "data:{" in answer.text
    assert "\r\n\r\n" in answer.text
    assert "All of it at once." in answer.text


def test_a_lasting_scenario_hits_only_its_path_and_only_so_often(
    api: httpx.Client, simulator: RunningSimulator
) -> None:
    url = f"{simulator.address}/simulator/scenario"
    wanted = {"name": "error-3040", "times": 2, "path": "chat"}
    assert httpx.put(url, json=wanted).status_code == 200
    assert api.get("models/search").status_code == 200
    assert [ask(api, "hello").status_code for _ in range(3)] == [429, 429, 200]


def test_a_lasting_scenario_can_be_taken_back(
    api: httpx.Client, simulator: RunningSimulator
) -> None:
    simulator.set_scenario("html-502")
    assert ask(api, "hello").status_code == 502
    httpx.delete(f"{simulator.address}/simulator/scenario")
    assert ask(api, "hello").status_code == 200


def test_an_unknown_name_lists_those_that_exist(api: httpx.Client) -> None:
    answer = ask(api, "hello [simulate nonsense]")
    assert answer.status_code == 400
    assert "cut-stream" in answer.json()["errors"][0]["message"]


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(UnknownScenario, match="seconds"):
        checked("slow", {"minutes": "1"})


def test_the_list_of_scenarios_can_be_read(simulator: RunningSimulator) -> None:
    listed = httpx.get(f"{simulator.address}/simulator/scenarios").json()
    assert listed["flaky"]["params"] == {"times": "2", "code": "3040"}
    assert all(one["description"] for one in listed.values())


# --- What they do -----------------------------------------------------------------------------


def test_every_quirk_of_streams_and_answers_has_a_scenario() -> None:
    played = {facts for one in REGISTRY.values() for facts in one.facts}
    wanted = {f"8.{n}" for n in range(1, 29)} | {f"9.{n}" for n in range(1, 13)}
    assert wanted <= played


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", sorted(set(REGISTRY) - WAITING))
def test_no_scenario_is_a_fault_of_the_simulator_itself(
    api: httpx.Client, simulator: RunningSimulator, name: str, stream: bool
) -> None:
    try:
        answer = ask(api, f"say hi [simulate {name}]", stream=stream, tools=[TOOL])
    except httpx.RemoteProtocolError:
        assert name in ("cut-stream", "cut-after-end", "drop")
        return
    assert answer.text != "Internal Server Error"


def test_numbers_keep_their_spelling_on_the_wire(api: httpx.Client) -> None:
    text = ask(api, "hi [simulate number-deltas]", stream=True).text
    for literal in ("0.50", "3.10", "3e+50", "true", "null"):
        assert f'"content":{literal}}}' in text


def test_every_byte_comes_in_a_piece_of_its_own(api: httpx.Client) -> None:
    body = body_of("hi [simulate split-bytes] [simulate one-delta]", stream=True)
    with api.stream("POST", "v1/chat/completions", json=body) as answer:
        pieces = list(answer.iter_raw())
    plain = ask(api, "hi [simulate one-delta]", stream=True).content
    assert b"".join(pieces) == plain
    assert len(pieces) > 10


def test_a_huge_event_is_larger_than_a_megabyte(api: httpx.Client) -> None:
    lines = data_lines(ask(api, "hi [simulate huge-event]", stream=True).text)
    assert max(map(len, lines)) > 1024 * 1024


def test_a_cut_stream_ends_inside_an_event(api: httpx.Client) -> None:
    got = b""
    body = body_of("count to 50 [simulate cut-stream after=2]", stream=True)
    with (
        pytest.raises(httpx.RemoteProtocolError),
        api.stream("POST", "v1/chat/completions", json=body) as answer,
    ):
        for piece in answer.iter_raw():
            got += piece
    assert got.count(b"\n\n") == 2
    assert not got.endswith(b"\n")


def test_a_dropped_connection_answers_nothing(api: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        ask(api, "hi [simulate drop]")


@pytest.mark.parametrize("form", ["error", "errors", "event"])
def test_an_error_in_the_stream_has_no_done_behind_it(api: httpx.Client, form: str) -> None:
    text = ask(api, f"hi [simulate error-event form={form}]", stream=True).text
    assert "Inference upstream error" in text
    assert "[DONE]" not in text


def test_a_flaky_model_works_in_the_end(api: httpx.Client) -> None:
    statuses = [ask(api, "hi [simulate flaky times=2]").status_code for _ in range(4)]
    assert statuses == [429, 429, 200, 429]


def test_an_empty_success_can_happen_just_once(api: httpx.Client) -> None:
    first, second = (ask(api, "say hi [simulate empty-success-once]").json() for _ in range(2))
    assert first["result"] == {}
    assert second["choices"][0]["message"]["content"] == "hi"


def test_a_busy_model_refuses_who_will_not_wait(api: httpx.Client) -> None:
    busy = "say hi [simulate busy seconds=0]"
    assert code_of(ask(api, busy, options={"rejectIfBusy": True})) == 3040
    assert ask(api, busy).status_code == 200


def test_a_tool_scenario_calls_the_tool_on_offer(api: httpx.Client) -> None:
    answer = ask(api, "hi [simulate null-sentinel-tool-call]", stream=True, tools=[TOOL])
    lines = data_lines(answer.text)
    assert '"name":"get_weather"' in lines[0]
    assert any('"id":null' in line for line in lines)


@pytest.mark.parametrize(
    ("name", "models"), [("catalog-empty", 0), ("catalog-half", 29), ("catalog-repeats", 59)]
)
def test_the_catalog_can_shrink(
    api: httpx.Client, simulator: RunningSimulator, name: str, models: int
) -> None:
    simulator.set_scenario(name, path="models/search")
    assert len(api.get("models/search").json()["result"]) == models


def test_the_catalog_can_fail_on_one_page(api: httpx.Client, simulator: RunningSimulator) -> None:
    simulator.set_scenario("catalog-page-error", size=20, page=2)
    assert len(api.get("models/search").json()["result"]) == 20
    assert api.get("models/search", params={"page": 2}).status_code == 503


def test_one_schema_can_fail(api: httpx.Client, simulator: RunningSimulator) -> None:
    simulator.set_scenario("schema-error", model=KIMI)
    assert api.get("models/schema", params={"model": KIMI}).status_code == 503
    other = {"model": "@cf/openai/whisper"}
    assert api.get("models/schema", params=other).status_code == 200


# --- Time -------------------------------------------------------------------------------------


def test_a_clients_going_is_noticed_at_once(api: httpx.Client, simulator: RunningSimulator) -> None:
    body = body_of("hi [simulate stall after=1]", stream=True)
    with api.stream("POST", "v1/chat/completions", json=body) as answer:
        next(answer.iter_raw())
        left = time.time()
    record = simulator.requests[-1]
    assert record.wait_for_end() == "client_closed"
    assert record.started_at + (record.seconds or 0) - left < 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_endless_answer_goes_on_until_its_client_leaves(
    stream: bool, api: httpx.Client, simulator: RunningSimulator
) -> None:
    body = body_of("hi [simulate endless seconds=0]", stream=stream)
    read = 0
    with api.stream("POST", "v1/chat/completions", json=body) as answer:
        for piece in answer.iter_raw():
            read += len(piece)
            if read > 500_000:
                break
    assert simulator.requests[-1].wait_for_end() == "client_closed"


def test_a_client_that_leaves_before_the_answer_is_noticed(
    api: httpx.Client, simulator: RunningSimulator
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        api.post("v1/chat/completions", json=body_of("hi [simulate hang]"), timeout=0.1)
    assert simulator.requests[-1].wait_for_end() == "client_closed"


def test_tokens_leave_as_they_are_made() -> None:
    with (
        running_simulator(speed=20) as running,
        httpx.stream(
            "POST",
            f"{running.base_url}/accounts/{running.account_id}/ai/v1/chat/completions",
            json=body_of("60 words", stream=True),
            headers={"authorization": f"Bearer {running.api_token}"},
        ) as answer,
    ):
        arrived = [time.monotonic() for _ in answer.iter_raw()]
    assert arrived[-1] - arrived[0] > 0.05


# --- The command ------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_is_and_stops_cleanly(stop: signal.Signals) -> None:
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "workers_ai.simulator", "--port", "0"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert isinstance(process.stdout, io.TextIOBase)
    line = process.stdout.readline()
    address = line.removeprefix("Workers AI simulator on ").strip()
    found = httpx.get(f"{address}/nothing")
    process.send_signal(stop)
    rest, errors = process.communicate(timeout=10)
    assert found.status_code == 400
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_table_in_the_docs_is_the_registry() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text()
    for name, one in REGISTRY.items():
        params = " ".join(f"{key}={value}" for key, value in one.defaults.items())
        shown = f"`{name} {params}`" if params else f"`{name}`"
        assert f"| {shown} | {one.description} |" in page, f"docs/simulator.md lacks {shown}"


def test_the_docs_name_no_scenario_that_is_gone() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and "`--" not in line]
    names = {row.split("`")[1].split()[0] for row in rows}
    assert names == set(REGISTRY)
