"""`GET /v1/models` and `/v1/models/{id}`: what this key may run, and nothing else."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from catalog.models import CatalogModel
from openai_api.served import PROTOCOLS
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, OPENAI, chat_body, post
from tests.openai_api.images.test_images import IMG2IMG, INPAINTING, KLEIN, PHOENIX, SCHNELL
from tests.openai_api.transcriptions.test_transcriptions import TURBO
from workers_ai.simulator.serve import RunningSimulator


def listed(client: httpx.Client, **params: str) -> dict[str, dict[str, Any]]:
    response = client.get("/models", params=params)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["object"] == "list"
    return {entry["id"]: entry for entry in body["data"]}


def nulls(value: Any, at: str = "") -> list[str]:
    if value is None:
        return [at]
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in nulls(inner, f"{at}.{name}")]
    if isinstance(value, list):
        return [found for inner in value for found in nulls(inner, f"{at}[]")]
    return []


def test_every_entry_is_whole_and_without_nulls(client: httpx.Client) -> None:
    models = listed(client)
    assert len(models) > 15
    for name, entry in models.items():
        assert nulls(entry) == []
        assert entry["object"] == "model"
        assert entry["id"] == name
        assert isinstance(entry["created"], int)
        assert entry["created"] > 1_600_000_000
        assert entry["owned_by"]
        assert entry["name"]
        assert entry["pricing"]
        assert all(isinstance(price, str) for price in entry["pricing"].values())
        assert entry["architecture"]["input_modalities"]
        assert entry["architecture"]["output_modalities"]
        assert entry["supported_endpoint_types"]


def test_the_list_is_not_asked_of_upstream(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    listed(client)
    assert not upstream.requests


def test_a_chat_model_says_what_clients_show(client: httpx.Client) -> None:
    entry = listed(client)[OPENAI]
    assert entry["owned_by"] == "meta"
    assert entry["context_length"] == 24000
    assert entry["pricing"]["prompt"] == "0.00000029"
    assert entry["pricing"]["completion"] == "0.00000225"
    assert "tools" in entry["supported_parameters"]
    assert {"openai", "openai-response", "anthropic"} <= set(entry["supported_endpoint_types"])


def test_a_model_that_sees_pictures_says_so(client: httpx.Client) -> None:
    entry = listed(client)["@cf/meta/llama-4-scout-17b-16e-instruct"]
    assert entry["architecture"]["input_modalities"] == ["text", "image", "file"]


def test_models_that_read_documents_say_so(client: httpx.Client) -> None:
    takes = {id: entry["architecture"]["input_modalities"] for id, entry in listed(client).items()}
    assert takes[OPENAI] == ["text", "file"]
    assert takes["@cf/baai/bge-m3"] == ["text"]


def test_the_chat_protocol_lists_chat_models_only(client: httpx.Client) -> None:
    models = listed(client, protocol="openai-chat")
    assert {OPENAI, LEGACY} <= set(models)
    assert not {PHOENIX, "@cf/baai/bge-m3", "@cf/cloudflare/clef-omni"} & set(models)
    assert all("openai" in entry["supported_endpoint_types"] for entry in models.values())


def test_the_images_protocol_lists_what_draws_from_a_prompt_alone(client: httpx.Client) -> None:
    models = listed(client, protocol="openai-images")
    assert {PHOENIX, SCHNELL, KLEIN} <= set(models)
    assert not {IMG2IMG, INPAINTING, OPENAI} & set(models)


@pytest.mark.parametrize(
    ("protocol", "model", "modality", "type_name"),
    [
        ("openai-transcriptions", "@cf/openai/whisper", "audio->text", "audio-transcription"),
        ("openai-translations", TURBO, "audio->text", "audio-translation"),
        ("openai-speech", "@cf/myshell-ai/melotts", "text->audio", "audio-speech"),
    ],
)
def test_the_audio_protocols_list_what_listens_and_speaks(
    client: httpx.Client, protocol: str, model: str, modality: str, type_name: str
) -> None:
    models = listed(client, protocol=protocol)
    assert {entry["architecture"]["modality"] for entry in models.values()} == {modality}
    assert models[model]["supported_endpoint_types"][-1] == type_name
    assert set(models[model]["pricing"]) >= {"prompt", "completion", "audio_minute"}
    assert OPENAI not in models


def test_an_unknown_protocol_lists_the_known_ones(client: httpx.Client) -> None:
    response = client.get("/models", params={"protocol": "telnet"})
    error = assert_openai_error(response, 400, param="protocol")
    for protocol in PROTOCOLS:
        assert f"'{protocol}'" in error["message"]


@pytest.mark.parametrize(
    ("protocol", "model", "type_name", "gives"),
    [
        ("openai-embeddings", "@cf/baai/bge-m3", "embeddings", "embeddings"),
        ("openai-image-edits", IMG2IMG, "image-edit", "image"),
        ("openai-moderations", "@cf/meta/llama-guard-3-8b", "moderations", "text"),
        ("openai-rerank", "@cf/baai/bge-reranker-base", "jina-rerank", "rerank"),
    ],
)
def test_each_protocol_lists_its_models(
    client: httpx.Client, protocol: str, model: str, type_name: str, gives: str
) -> None:
    models = listed(client, protocol=protocol)
    assert type_name in models[model]["supported_endpoint_types"]
    assert models[model]["architecture"]["output_modalities"] == [gives]
    assert OPENAI not in models


def test_models_that_no_endpoint_runs_are_not_listed(client: httpx.Client) -> None:
    assert not {
        "@cf/deepgram/flux",
        "@cf/microsoft/resnet-50",
        "@cf/pipecat-ai/smart-turn-v2",
    } & set(listed(client))


@pytest.mark.parametrize(
    "shown", [OPENAI, quote(OPENAI, safe=""), quote(OPENAI, safe="/"), OPENAI + "/"]
)
def test_one_model_is_found_however_its_id_is_encoded(client: httpx.Client, shown: str) -> None:
    response = client.get(f"/models/{shown}")
    assert response.status_code == 200, response.text
    assert response.json() == listed(client)[OPENAI]


@pytest.mark.parametrize("name", ["gpt-4o", "@cf/deepgram/flux", "@cf/microsoft/resnet-50", "@cf"])
def test_a_model_that_is_not_listed_is_404(client: httpx.Client, name: str) -> None:
    assert_openai_error(client.get(f"/models/{name}"), 404, code="model_not_found", param="model")


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/", "/models", "/models/", "/v1/v1/models"]
)
def test_the_list_is_at_every_usual_path(gateway: GatewayProcess, key: str, path: str) -> None:
    response = httpx.get(gateway.url + path, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200
    assert response.json()["object"] == "list"


@pytest.mark.parametrize("path", ["/models", f"/models/{OPENAI}", "/key"])
def test_head_answers_like_get_without_a_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/models", "/models/no-such", "/key", "/key/usage", "/nowhere"])
def test_no_cache_on_the_way_keeps_what_is_of_one_key(
    gateway: GatewayProcess, key: str, path: str
) -> None:
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}, {}):
        response = httpx.get(f"{gateway.url}/v1{path}", headers=headers)
        assert response.headers["cache-control"] == "no-store", response.status_code


def test_a_key_sees_and_uses_its_models_only(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(allowed_models=["@cf/meta/llama-3*"])
    with httpx.Client(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}
    ) as client:
        models = listed(client)
        assert LEGACY in models
        assert all(name.startswith("@cf/meta/llama-3") for name in models)
        assert post(client, chat_body(model=LEGACY)).status_code == 200
        refused = post(client, chat_body(model="@cf/zai-org/glm-5.3"))
        assert_openai_error(refused, 403, code="model_not_allowed", param="model")
        assert client.get("/models/@cf/zai-org/glm-5.3").status_code == 404


def test_a_key_for_other_endpoints_is_403(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(allowed_endpoints=["images"])
    with httpx.Client(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}
    ) as client:
        assert_openai_error(post(client, chat_body()), 403, code="endpoint_not_allowed")


def test_an_alias_is_listed_and_resolves(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    gateway.manage("alias_model", "gpt-4o-test", OPENAI)
    try:
        gateway.wait_until(lambda: "gpt-4o-test" in listed(client), "the alias is listed")
        entry = client.get("/models/gpt-4o-test").json()
        assert entry["id"] == "gpt-4o-test"
        assert entry["display_name"] == f"gpt-4o-test ({OPENAI.rpartition('/')[2]})"
        answer = post(client, chat_body(model="gpt-4o-test"), request_id="alias-row").json()
        assert answer["model"] == "gpt-4o-test"
        assert upstream.requests[-1].body["model"] == OPENAI
        row = gateway.row("alias-row")
        assert (row.requested_model, row.model) == ("gpt-4o-test", OPENAI)
    finally:
        gateway.manage("alias_model", "--remove", "gpt-4o-test")


def test_a_disabled_model_is_gone_within_seconds(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    name = "@hf/nousresearch/hermes-2-pro-mistral-7b"

    def switch(enabled: bool) -> None:
        model = CatalogModel.objects.get(name=name)
        model.enabled = enabled
        model.save()

    gateway.database(lambda: switch(False))
    try:
        gateway.wait_until(lambda: name not in listed(client), "the model is gone")
        assert_openai_error(post(client, chat_body(model=name)), 404, code="model_not_found")
    finally:
        gateway.database(lambda: switch(True))


def test_a_key_for_one_endpoint_sees_only_what_that_endpoint_runs(gateway: GatewayProcess) -> None:
    key = gateway.issue_key(allowed_endpoints=["images"])
    with httpx.Client(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}
    ) as painter:
        models = listed(painter)
        assert {tuple(entry["supported_endpoint_types"]) for entry in models.values()} == {
            ("image-generation",)
        }
        assert listed(painter, protocol="openai-chat") == {}
        assert_openai_error(painter.get(f"/models/{OPENAI}"), 404, code="model_not_found")


def test_what_chats_comes_first(client: httpx.Client) -> None:
    kinds = [
        "openai" in entry["supported_endpoint_types"]
        for entry in client.get("/models").json()["data"]
    ]
    assert kinds == sorted(kinds, reverse=True)
    assert True in kinds and False in kinds


@pytest.mark.parametrize("name", [OPENAI[1:], OPENAI.split("/", 1)[1], OPENAI.rsplit("/", 1)[1]])
def test_a_name_without_its_beginning_runs_and_is_found(
    gateway: GatewayProcess, client: httpx.Client, name: str
) -> None:
    answer = post(client, chat_body(model=name), request_id=f"short-{len(name)}")
    assert (answer.status_code, answer.json()["model"]) == (200, name)
    row = gateway.row(f"short-{len(name)}")
    assert (row.requested_model, row.model) == (name, OPENAI)
    assert client.get(f"/models/{name}").json()["id"] == OPENAI


def test_a_name_without_its_beginning_gives_a_key_no_rights(gateway: GatewayProcess) -> None:
    short = OPENAI.rsplit("/", 1)[1]
    key = gateway.issue_key(allowed_models=[short, LEGACY])
    with httpx.Client(
        base_url=gateway.url + "/v1", headers={"authorization": f"Bearer {key}"}
    ) as client:
        assert_openai_error(post(client, chat_body(model=short)), 403, code="model_not_allowed")
        assert post(client, chat_body(model=LEGACY.rsplit("/", 1)[1])).status_code == 200


def test_the_list_can_be_asked_for_in_pages(client: httpx.Client) -> None:
    ids = [entry["id"] for entry in client.get("/models").json()["data"]]

    def page(**params: Any) -> dict[str, Any]:
        body: dict[str, Any] = client.get("/models", params=params).json()
        assert [body["first_id"], body["last_id"]] == [
            body["data"][0]["id"],
            body["data"][-1]["id"],
        ]
        return {"ids": [entry["id"] for entry in body["data"]], "more": body["has_more"]}

    assert page() == {"ids": ids, "more": False}
    assert page(limit=3) == {"ids": ids[:3], "more": True}
    assert page(limit=3, after_id=ids[2]) == {"ids": ids[3:6], "more": True}
    assert page(limit=1000, after_id=ids[0]) == {"ids": ids[1:], "more": False}
    assert page(limit=2, before_id=ids[5]) == {"ids": ids[3:5], "more": True}
    assert page(limit=5, before_id=ids[2]) == {"ids": ids[:2], "more": False}
    end = client.get("/models", params={"after_id": ids[-1]}).json()
    assert end == {"object": "list", "data": [], "has_more": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", limit) for limit in ("0", "1001", "ten", "٣", "9" * 5000)),
        ("after_id", "nothing"),
        ("before_id", ""),
    ],
)
def test_a_page_that_there_is_not_is_refused(client: httpx.Client, name: str, value: str) -> None:
    assert_openai_error(client.get("/models", params={name: value}), 400, param=name)


@pytest.mark.parametrize(
    ("path", "status"), [("/models/nothing", 404), ("/models?limit=0", 400), ("/complete", 404)]
)
def test_anthropics_clients_are_refused_in_their_words(
    client: httpx.Client, path: str, status: int
) -> None:
    response = client.get(path, headers={"anthropic-version": "2023-06-01"})
    assert response.status_code == status
    body = response.json()
    assert body["type"] == "error"
    assert body["request_id"] == response.headers["request-id"]
    assert body["error"]["type"] == (
        "not_found_error" if status == 404 else "invalid_request_error"
    )
    assert_openai_error(client.get(path), status)
