"""The simulator over a real port: credentials, envelope, catalog, errors."""

import argparse
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from workers_ai.simulator import DEFAULT_API_TOKEN
from workers_ai.simulator.models.catalog import Catalog, CatalogError
from workers_ai.simulator.serve import RunningSimulator, running_simulator, serve_forever

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def api(simulator: RunningSimulator) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{simulator.base_url}/accounts/{simulator.account_id}/ai/",
        headers={"authorization": f"Bearer {simulator.api_token}"},
    ) as client:
        yield client


def assert_failure(response: httpx.Response, status: int, code: int) -> None:
    body = response.json()
    assert (response.status_code, body["success"]) == (status, False)
    assert body["errors"][0]["code"] == code


def test_a_missing_token_is_an_authentication_error(api: httpx.Client) -> None:
    request = api.build_request("GET", "models/search")
    del request.headers["authorization"]
    assert_failure(api.send(request), 401, 10000)


def test_a_junk_token_is_another_error_than_a_wrong_one(api: httpx.Client) -> None:
    junk = {"authorization": "Bearer ???"}
    assert_failure(api.get("models/search", headers=junk), 400, 9106)


def test_pinned_credentials_let_in_nobody_else() -> None:
    with running_simulator(token="x" * 40, speed=0) as pinned:
        url = f"{pinned.base_url}/accounts/{pinned.account_id}/ai/models/search"
        wrong = httpx.get(url, headers={"authorization": f"Bearer {'y' * 40}"})
        right = httpx.get(url, headers={"authorization": f"Bearer {'x' * 40}"})
        elsewhere = httpx.get(url.replace("fa4e", "0000"), headers=right.request.headers)
    assert_failure(wrong, 401, 10000)
    assert right.status_code == elsewhere.status_code == 200


def test_a_malformed_account_id_has_no_route(simulator: RunningSimulator) -> None:
    url = f"{simulator.base_url}/accounts/nobody/ai/models/search"
    headers = {"authorization": f"Bearer {DEFAULT_API_TOKEN}"}
    assert_failure(httpx.get(url, headers=headers), 404, 7003)


def test_encoded_slashes_in_a_model_name_have_no_route(api: httpx.Client) -> None:
    assert_failure(api.post(f"run/{LLAMA.replace('/', '%2F')}", json={"prompt": "x"}), 400, 7000)


def test_the_model_list_of_openai_is_refused(api: httpx.Client) -> None:
    answer = api.get("v1/models")
    assert_failure(answer, 405, 7001)
    assert answer.json()["result"] is None


def test_an_unknown_model_is_a_400(api: httpx.Client) -> None:
    assert_failure(api.post("run/@cf/no/such-model", json={"prompt": "x"}), 400, 5007)


def test_an_unknown_gateway_is_refused_and_a_known_one_is_not(api: httpx.Client) -> None:
    body = {"prompt": "hello"}
    unknown = api.post(f"run/{LLAMA}", json=body, headers={"cf-aig-gateway-id": "nowhere"})
    known = api.post(f"run/{LLAMA}", json=body, headers={"cf-aig-gateway-id": "default"})
    assert_failure(unknown, 400, 2001)
    assert known.headers["cf-aig-cache-status"] == "MISS"


def test_a_form_through_a_gateway_fails(api: httpx.Client) -> None:
    answer = api.post(
        "run/@cf/black-forest-labs/flux-2-dev",
        files={"prompt": (None, "a fox")},
        headers={"cf-aig-gateway-id": "default"},
    )
    assert_failure(answer, 500, 7000)


def test_messages_answers_in_anthropics_words(api: httpx.Client) -> None:
    answer = api.post("v1/messages", json={"model": LLAMA, "messages": []})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_first_page_has_every_model_whatever_per_page_says(api: httpx.Client) -> None:
    whole = api.get("models/search", params={"per_page": 5}).json()["result"]
    second = api.get("models/search", params={"per_page": 5, "page": 2}).json()["result"]
    assert len(whole) > 30
    assert second == []


def test_models_can_be_searched_by_task_and_text(api: httpx.Client) -> None:
    images = api.get("models/search", params={"task": "Text-to-Image"}).json()["result"]
    nonsense = api.get("models/search", params={"search": "zzz-nothing"}).json()["result"]
    assert {model["task"]["name"] for model in images} == {"Text-to-Image"}
    assert nonsense == []


def properties(model: dict[str, Any]) -> dict[str, Any]:
    return {one["property_id"]: one["value"] for one in model.get("properties", [])}


def test_the_bundled_catalog_has_every_trap_of_the_real_one(api: httpx.Client) -> None:
    models = {one["name"]: one for one in api.get("models/search").json()["result"]}
    values = [value for one in models.values() for value in properties(one).values()]
    assert {type(value) for value in values} == {str, list, dict}
    assert any("properties" not in one for one in models.values())
    assert any("created_at" not in one for one in models.values())
    assert any(name.startswith("@hf/") for name in models)
    assert any("-uuid" in one["id"] for one in models.values())
    assert any(properties(one).get("planned_deprecation_date") for one in models.values())
    assert "@cf/deepgram/flux" in models


def test_the_schema_of_an_openai_model_is_as_large_as_upstreams(api: httpx.Client) -> None:
    answer = api.get("models/schema", params={"model": "@cf/moonshotai/kimi-k2.6"})
    assert 120_000 < len(answer.content) < 340_000
    assert b"max_completion_tokens" in answer.content


def test_one_schema_is_malformed_and_one_is_empty(api: httpx.Client) -> None:
    def schema(name: str) -> dict[str, Any]:
        found: dict[str, Any] = api.get("models/schema", params={"model": name}).json()["result"]
        return found

    malformed = schema("@cf/black-forest-labs/flux-2-dev")
    assert malformed["input"]["properties"]["required"] == ["multipart"]
    assert schema("@cf/qwen/qwq-32b") == {}


def test_another_folder_can_be_served(tmp_path: Path) -> None:
    task = {"id": "t", "name": "Text-to-Image", "description": ""}
    chat = {"id": "c", "name": "Text Generation", "description": ""}
    models = [
        {"id": "1", "name": "@cf/my/picture-1.0", "task": task, "properties": []},
        {"id": "2", "name": "@cf/my/brand-new-chat", "task": chat, "properties": []},
    ]
    (tmp_path / "search.json").write_bytes(orjson.dumps(models))
    (tmp_path / "schemas").mkdir()
    schema = {
        "input": {"type": "object", "properties": {"prompt": {"type": "string"}}},
        "output": {"type": "string", "format": "binary", "contentType": "image/png"},
    }
    (tmp_path / "schemas" / "@cf__my__picture-1.0.json").write_bytes(orjson.dumps(schema))
    with running_simulator(tmp_path, speed=0) as running:
        ai = f"{running.base_url}/accounts/{running.account_id}/ai"
        headers = {"authorization": f"Bearer {running.api_token}"}
        picture = httpx.post(
            f"{ai}/run/@cf/my/picture-1.0", json={"prompt": "a fox"}, headers=headers
        )
        found = httpx.get(
            f"{ai}/models/schema", params={"model": "@cf/my/brand-new-chat"}, headers=headers
        )
    assert picture.content.startswith(b"\x89PNG")
    assert b"stream_options" in found.content


def test_a_folder_without_a_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"search\.json"):
        Catalog(tmp_path)


def test_what_arrived_is_recorded_without_the_token(
    api: httpx.Client, simulator: RunningSimulator
) -> None:
    api.post(f"run/{LLAMA}", json={"prompt": "hello"})
    record = simulator.requests[-1]
    assert record.body == {"prompt": "hello"}
    assert record.authorized is True
    assert record.ended == "complete"
    assert simulator.api_token not in str(record.as_dict())


def test_recorded_requests_can_be_read_over_http(
    api: httpx.Client, simulator: RunningSimulator
) -> None:
    api.get("models/search")
    shown = httpx.get(f"{simulator.address}/simulator/requests", params={"limit": 1}).json()
    assert [one["path"].rsplit("/ai/")[1] for one in shown] == ["models/search"]


def test_a_taken_port_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = argparse.Namespace(
            host="127.0.0.1",
            port=taken.getsockname()[1],
            catalog=None,
            speed=1,
            account=None,
            token=None,
            further_account=[],
        )
        assert serve_forever(options) == 1
    assert capsys.readouterr().err.count("\n") == 1
