"""An alias with fallbacks: the next model answers when the one before it cannot."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from catalog.models import Alias
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import (
    LEGACY,
    OPENAI,
    SGLANG,
    VLLM,
    WEATHER_TOOL,
    chat_body,
    new_id,
    post,
    stream,
)
from workers_ai.simulator.serve import RunningSimulator

EMBEDDER, OTHER_EMBEDDER = "@cf/baai/bge-m3", "@cf/baai/bge-base-en-v1.5"
PAINTER, OTHER_PAINTER = "@cf/leonardo/phoenix-1.0", "@cf/black-forest-labs/flux-1-schnell"
AURA, OTHER_VOICE = "@cf/deepgram/aura-1", "@cf/deepgram/aura-2-en"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQ"
    "DwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


class Aliases:
    """Aliases of models, and what upstream makes of those."""

    def __init__(self, gateway: GatewayProcess, upstream: RunningSimulator) -> None:
        self.gateway = gateway
        self.upstream = upstream

    def make(self, *models: str) -> str:
        """The alias of these models, in this order; it lasts until the end of this file."""
        name = "-or-".join(model.rpartition("/")[2] for model in models)
        known = Alias.objects.filter(alias=name)
        if not self.gateway.database(known.exists):
            self.gateway.database(lambda: call_command("alias_model", name, *models))
        headers = {"authorization": f"Bearer {self.gateway.issue_key()}"}
        self.gateway.wait_until(
            lambda: httpx.get(f"{self.gateway.url}/v1/models/{name}", headers=headers).is_success,
            "the alias is known",
        )
        return name

    def fails(self, scenario: str, *models: str, route: str = "chat", **params: Any) -> None:
        for model in models:
            self.upstream.set_scenario(scenario, path=f"{route}/{model}", **params)

    def asked(self) -> list[str]:
        """The models that upstream was asked for, each as often as it was."""
        return [
            record.body["model"]
            if record.path.endswith("completions")
            else "@" + record.path.rpartition("@")[2]
            for record in self.upstream.requests
            if "/ai/run/" in record.path or record.path.endswith("completions")
        ]


@pytest.fixture(scope="module", autouse=True)
def no_alias_stays(session_gateway: GatewayProcess) -> Iterator[None]:
    """Other files list the models of the same gateway."""
    yield
    made = session_gateway.database(
        lambda: list(Alias.objects.filter(alias__contains="-or-").values_list("alias", flat=True))
    )
    for name in made:
        session_gateway.database(lambda name=name: call_command("alias_model", "--remove", name))
    headers = {"authorization": f"Bearer {session_gateway.issue_key()}"}
    session_gateway.wait_until(
        lambda: "-or-" not in httpx.get(f"{session_gateway.url}/v1/models", headers=headers).text,
        "the aliases are gone",
    )


@pytest.fixture
def aliases(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> Iterator[Aliases]:
    yield Aliases(gateway, upstream)
    # Models that answer rest no longer, so that the next test finds them as they were.
    upstream.reset()
    for model in (OPENAI, VLLM, SGLANG, LEGACY):
        post(client, chat_body(model=model))
    client.post("/embeddings", json={"model": EMBEDDER, "input": "a"})
    client.post("/images/generations", json={"model": PAINTER, "prompt": "a"})
    client.post("/audio/speech", json={"model": AURA, "input": "a", "voice": "alloy"})
    upstream.reset()


def chat(client: httpx.Client, model: str, request_id: str, **fields: Any) -> str:
    answered = post(client, chat_body(model=model, **fields), request_id=request_id)
    assert answered.status_code == 200, answered.text
    assert answered.json()["model"] == model
    return answered.headers["x-gateway-model"]


def streamed(client: httpx.Client, model: str, request_id: str, **fields: Any) -> str:
    seen = stream(client, model=model, request_id=request_id, **fields)
    assert seen.dones == 1
    assert {chunk["model"] for chunk in seen.chunks} == {model}
    return seen.headers["x-gateway-model"]


Asking = Callable[..., str]


@pytest.mark.parametrize(
    ("asking", "scenario", "params"),
    [
        (chat, "error-3040", {}),
        (streamed, "error-3040", {}),
        (streamed, "error-5007", {}),
        (chat, "error", {"status": 410, "code": 5028, "message": "model was deprecated"}),
        (chat, "error", {"status": 500, "code": 8008, "message": "Something went wrong"}),
        (streamed, "html-502", {}),
        (chat, "error-3007", {}),
        (streamed, "error-5018", {}),
        (chat, "drop", {}),
        (streamed, "empty-success", {}),
        (streamed, "error-in-200", {"code": 3040}),
        (streamed, "error-in-200", {"code": 8008, "form": "event"}),
        (streamed, "error-in-200", {"code": 5007}),
        (chat, "error-in-200", {"code": 3040}),
        (chat, "error-in-200", {"code": 5028}),
    ],
)
def test_the_next_model_answers_and_its_row_and_price_count(
    client: httpx.Client,
    aliases: Aliases,
    asking: Asking,
    scenario: str,
    params: dict[str, Any],
) -> None:
    name = aliases.make(OPENAI, VLLM)
    aliases.fails(scenario, OPENAI, **params)
    request_id, direct_id = new_id(), new_id()
    assert asking(client, name, request_id) == VLLM
    assert aliases.asked()[-1] == VLLM
    row = aliases.gateway.row(request_id)
    assert (row.requested_model, row.model, row.status) == (name, VLLM, 200)
    assert row.attempts == len(aliases.asked())
    asking(client, VLLM, direct_id)
    direct = aliases.gateway.row(direct_id)
    assert row.price == direct.price
    assert row.cost_nano_usd is not None and row.cost_nano_usd > 0
    # The model that failed rests: the next request does not ask it.
    asked = len(aliases.asked())
    assert asking(client, name, new_id()) == VLLM
    assert aliases.asked()[asked:] == [VLLM]


@pytest.mark.parametrize(
    ("scenario", "upstream_code", "status", "code"),
    [
        ("error", 5006, 400, None),  # the request's own fault
        ("error", 3036, 429, "insufficient_quota"),  # the account's neurons
        ("error", 10000, 502, None),  # the gateway's credentials
        ("error-in-200", 5006, 400, None),
        ("error-in-200", 4006, 429, "insufficient_quota"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_what_every_model_would_refuse_is_not_asked_again(
    client: httpx.Client,
    aliases: Aliases,
    scenario: str,
    upstream_code: int,
    status: int,
    code: str | None,
    is_stream: bool,
) -> None:
    name = aliases.make(OPENAI, VLLM)
    if scenario == "error":
        aliases.fails(f"error-{upstream_code}", OPENAI)
    else:
        aliases.fails(scenario, OPENAI, code=upstream_code)
    refused = post(client, chat_body(model=name, stream=is_stream))
    assert_openai_error(refused, status, code=code)
    assert refused.headers["x-gateway-model"] == OPENAI
    assert VLLM not in aliases.asked()


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, "chat.completion"),
        ("messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}, "message"),
        ("responses", {"input": "Hi"}, "response"),
        ("completions", {"prompt": "Hi"}, "text_completion"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_error_in_place_of_an_answer_is_tried_again(
    client: httpx.Client,
    upstream: RunningSimulator,
    path: str,
    body: dict[str, Any],
    wanted: str,
    is_stream: bool,
) -> None:
    """As any refusal is, although HTTP says 200: the client has had no byte."""
    upstream.set_scenario("error-in-200", path=f"chat/{OPENAI}", code=3040, times=1)
    answered = client.post(f"/{path}", json={"model": OPENAI, "stream": is_stream, **body})
    assert answered.status_code == 200, answered.text
    assert wanted in answered.text and "apacity" not in answered.text
    assert len(upstream.requests) == 2


def test_nothing_goes_on_after_the_first_byte(client: httpx.Client, aliases: Aliases) -> None:
    name = aliases.make(OPENAI, VLLM)
    aliases.fails("cut-stream", OPENAI, after=2)
    request_id = new_id()
    seen = stream(client, model=name, request_id=request_id)
    assert len(seen.errors) == 1
    assert VLLM not in aliases.asked()
    assert aliases.gateway.row(request_id).model == OPENAI


def test_a_model_that_cannot_do_what_is_asked_is_passed_over(
    client: httpx.Client, aliases: Aliases
) -> None:
    name = aliases.make(SGLANG, LEGACY, VLLM)
    aliases.fails("error-3040", SGLANG)
    tools = {"tools": [WEATHER_TOOL]}
    assert chat(client, name, new_id(), **tools) == VLLM
    assert chat(client, name, new_id()) == LEGACY
    # Also now that the first model rests, and where it is the one that cannot.
    assert chat(client, name, new_id(), **tools) == VLLM
    request_id = new_id()
    asked = len(aliases.asked())
    assert streamed(client, aliases.make(LEGACY, VLLM), request_id, **tools) == VLLM
    assert aliases.asked()[asked:] == [VLLM]
    assert aliases.gateway.row(request_id).model == VLLM


def test_what_no_model_of_an_alias_can_do_is_refused_as_its_own_model_does(
    client: httpx.Client, aliases: Aliases
) -> None:
    name = aliases.make(OPENAI, VLLM)
    too_long = {"max_tokens": 10_000_000}
    refused = post(client, chat_body(model=name, **too_long))
    direct = post(client, chat_body(model=OPENAI, **too_long))
    assert refused.status_code == direct.status_code == 400
    assert refused.json()["error"]["message"] == direct.json()["error"]["message"]
    assert refused.headers["x-gateway-model"] == OPENAI
    assert aliases.asked() == []


def test_when_none_answers_the_last_failure_is_told(client: httpx.Client, aliases: Aliases) -> None:
    name = aliases.make(OPENAI, VLLM)
    aliases.fails("error-3040", OPENAI)
    aliases.fails("error", VLLM, status=500, code=8008)
    request_id = new_id()
    refused = post(client, chat_body(model=name), request_id=request_id)
    assert_openai_error(refused, 502, code="upstream_error")
    row = aliases.gateway.row(request_id)
    assert (row.model, row.cost_nano_usd or 0) == (VLLM, 0)
    assert row.attempts == len(aliases.asked()) >= 3


def test_a_fallback_that_a_budget_does_not_pay_for_is_passed_over(
    gateway: GatewayProcess, aliases: Aliases
) -> None:
    """The first model is cheap and the second dear: 1,000 tokens of it do not fit."""
    name = aliases.make(LEGACY, SGLANG)
    aliases.fails("error-3040", LEGACY)
    key = gateway.issue_key(daily_budget_nano_usd=1_000_000)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{gateway.url}/v1", headers=headers) as poor:
        request_id = new_id()
        refused = post(poor, chat_body(model=name, max_tokens=1000), request_id=request_id)
        assert refused.status_code in (429, 503)
        assert SGLANG not in aliases.asked()
        aliases.upstream.reset()
        # Nothing stays reserved of either.
        assert post(poor, chat_body(model=LEGACY, max_tokens=10)).status_code == 200
    assert gateway.row(request_id).model == LEGACY


def test_a_stream_that_began_with_comments_goes_on_too(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    """The first model says nothing until its time is over, which is after the first comment."""
    name = Aliases(tuned_gateway, upstream).make(OPENAI, VLLM)
    upstream.set_scenario("hang", path=f"chat/{OPENAI}")
    request_id = new_id()
    seen = stream(tuned_client, model=name, request_id=request_id)
    assert seen.dones == 1
    assert seen.comments
    assert seen.text
    row = tuned_gateway.row(request_id)
    assert (row.model, row.status, row.end_reason) == (VLLM, 200, "complete")
    upstream.reset()
    post(tuned_client, chat_body(model=OPENAI))


def test_who_leaves_while_the_next_model_is_asked_is_recorded_once(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client, upstream: RunningSimulator
) -> None:
    name = Aliases(tuned_gateway, upstream).make(OPENAI, VLLM)
    upstream.set_scenario("hang", path=f"chat/{OPENAI}")
    upstream.set_scenario("hang", path=f"chat/{VLLM}")
    request_id = new_id()
    body = chat_body(model=name, stream=True)
    headers = {"x-request-id": request_id}
    with tuned_client.stream("POST", "/chat/completions", json=body, headers=headers) as response:
        for _ in response.iter_lines():
            if any(record.body["model"] == VLLM for record in upstream.requests):
                break
    row = tuned_gateway.row(request_id)
    assert (row.model, row.end_reason) == (VLLM, "client_gone")
    upstream.reset()
    post(tuned_client, chat_body(model=OPENAI))


@pytest.mark.parametrize(
    ("path", "first", "second", "body"),
    [
        ("responses", OPENAI, VLLM, {"input": "Hi"}),
        (
            "messages",
            OPENAI,
            VLLM,
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
        ),
        ("embeddings", EMBEDDER, OTHER_EMBEDDER, {"input": ["a", "b"]}),
        ("embeddings", EMBEDDER, OTHER_EMBEDDER, {"input": ["a"] * 250}),
        ("completions", OPENAI, VLLM, {"prompt": ["a", "b", "c"]}),
        ("images/generations", PAINTER, OTHER_PAINTER, {"prompt": "a cat", "n": 3}),
        ("images/generations", PAINTER, OTHER_PAINTER, {"prompt": "a cat"}),
        ("audio/speech", AURA, OTHER_VOICE, {"input": "Hello", "voice": "alloy"}),
    ],
)
@pytest.mark.parametrize("scenario", ["error-3040", "error-in-200"])
def test_every_endpoint_goes_on(
    client: httpx.Client,
    aliases: Aliases,
    scenario: str,
    path: str,
    first: str,
    second: str,
    body: dict[str, Any],
) -> None:
    name = aliases.make(first, second)
    aliases.fails(scenario, first)
    aliases.fails(scenario, first, route="run")
    answered = client.post(f"/{path}", json={"model": name, **body})
    assert answered.status_code == 200, answered.text
    assert answered.headers["x-gateway-model"] == second
    assert aliases.asked()[0] == first


def test_under_load_no_client_sees_a_model_without_capacity(
    client: httpx.Client, aliases: Aliases
) -> None:
    """Half of the requests are under way when the capacity ends."""
    name = aliases.make(OPENAI, VLLM)
    ended = threading.Event()

    def one(number: int) -> tuple[int, str]:
        if number == 20:
            aliases.fails("error-3040", OPENAI)
            ended.set()
        request_id = new_id()
        if number % 2:
            return 200 if stream(client, model=name, request_id=request_id).dones else 0, request_id
        return post(client, chat_body(model=name), request_id=request_id).status_code, request_id

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(one, range(60)))
    assert ended.is_set()
    assert [status for status, _ in seen] == [200] * 60
    rows = [aliases.gateway.row(request_id) for _, request_id in seen]
    assert {row.model for row in rows} == {OPENAI, VLLM}
    prices = {(row.model, row.price) for row in rows}
    assert len(prices) == 2, "each row has the price of the model that answered"
