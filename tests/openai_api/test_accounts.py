"""What operators decide about Cloudflare accounts: who may use the last neurons of the day, and
which of several accounts a request uses."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model

from alerts.models import Alert
from keys.models import Team
from keys.teams import join, make_team
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess, running_gateway
from tests.openai_api.chats import LEGACY, SGLANG, VLLM, chat_body, new_id, post, stream
from workers_ai.simulator.serve import RunningSimulator, running_simulator

FREE, RESERVED = 150, 150
SECOND, SECOND_TOKEN = "5ec0" * 8, "second-account-has-a-token-of-its-own"
BAD_TOKEN = "a-token-that-cloudflare-does-not-take"
EMBEDDER, PAINTER = "@cf/baai/bge-m3", "@cf/leonardo/phoenix-1.0"


@pytest.fixture(scope="module")
def cloud() -> Iterator[RunningSimulator]:
    """Two accounts, each with its own token."""
    first, token = "fa4e" * 8, "the-first-account-and-its-own-token"
    with running_simulator(
        account=first, token=token, more_accounts={SECOND: SECOND_TOKEN}
    ) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def module_gateway(
    cloud: RunningSimulator, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    """With a third account whose token is wrong."""
    with (
        django_db_blocker.unblock(),
        running_gateway(
            tmp_path_factory.mktemp("accounts"),
            cloud,
            CLOUDFLARE_ACCOUNTS=f"second={SECOND}:{SECOND_TOKEN},wrong={SECOND}0:{BAD_TOKEN}",
            CLOUDFLARE_ACCOUNT_WEIGHTS="main=2,second=2,wrong=1",
            FREE_DAILY_NEURONS=str(FREE),
            RESERVED_NEURONS=str(RESERVED),
            METRICS_ALLOWED_NETWORKS="127.0.0.0/8",
            ACCOUNT_QUEUE_WAIT="1",
            ACCOUNT_RATES=f"{VLLM}=1",
        ) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(
    module_gateway: GatewayProcess, cloud: RunningSimulator, django_db_blocker: Any
) -> Iterator[GatewayProcess]:
    with django_db_blocker.unblock():
        cloud.reset()
        yield module_gateway
        cloud.reset()


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    with client_of(gateway, gateway.issue_key("chosen", uses_reserve=True)) as client:
        yield client


def client_of(gateway: GatewayProcess, secret: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=gateway.url + "/v1", headers=headers, timeout=30)


def account_of(gateway: GatewayProcess, client: httpx.Client, **fields: Any) -> str:
    request_id = new_id()
    answer = post(client, chat_body("Say a", **fields), request_id=request_id)
    assert answer.status_code == 200, answer.text
    return gateway.row(request_id).account


def streamed_by(gateway: GatewayProcess, client: httpx.Client) -> str:
    request_id = new_id()
    seen = stream(client, "Say a", request_id=request_id, prompt_cache_key=request_id)
    assert seen.dones == 1
    return gateway.row(request_id).account


def test_the_last_neurons_of_the_day_are_for_chosen_keys(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    before = sum(row.neurons_micro or 0 for row in gateway.rows())
    body = chat_body("90 words", max_tokens=200)  # sets aside more than it uses
    with client_of(gateway, gateway.issue_key("usual")) as usual, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post(usual, body), range(60)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused, answers[0].text
        used = sum(row.neurons_micro or 0 for row in gateway.rows())
        assert before < used <= (3 * FREE - RESERVED) * 10**6
        assert_openai_error(
            refused[0],
            429,
            code="insufficient_quota",
            says="all API keys but those that the day's last 150 free neurons are reserved for",
        )
        midnight_s = 86_400 - datetime.now(UTC).timestamp() % 86_400
        assert abs(int(refused[0].headers["retry-after"]) - midnight_s) < 30
        told = usual.get("/key").json()["data"]["limits"]
        assert any("reserved" in limit["holder"] and limit["amount"] == 300 for limit in told)
        assert post(client, body).status_code == 200
        # A team has it for all keys of its members.
        gateway.database(lambda: put_into_team_with_reserve("tester"))
        gateway.wait_until(lambda: post(usual, body).status_code == 200, "its team counts")
        gateway.database(lambda: Team.objects.get().delete())
        gateway.wait_until(lambda: post(usual, body).status_code == 429, "no more")


def put_into_team_with_reserve(owner: str) -> None:
    team, _ = make_team("chosen", uses_reserve=True)
    join(team, get_user_model().objects.get(username=owner))


def test_requests_are_shared_and_a_conversation_stays(
    gateway: GatewayProcess, client: httpx.Client, cloud: RunningSimulator
) -> None:
    """By two accounts of three: the third's token is refused, which only operators notice."""
    found = [
        account_of(gateway, client, prompt_cache_key=f"conversation {n % 8}") for n in range(16)
    ]
    assert set(found) == {"main", "second"}
    assert found[:8] == found[8:]
    sent = Counter(record.path.split("/")[4] for record in cloud.requests if record.status == 200)
    assert set(sent) == {cloud.account_id, SECOND}
    for path, body in (
        ("/embeddings", {"model": EMBEDDER, "input": "a"}),
        ("/images/generations", {"model": PAINTER, "prompt": "a", "n": 3, "size": "512x512"}),
    ):
        request_id = new_id()
        answer = client.post(path, json=body, headers={"x-request-id": request_id})
        assert answer.status_code == 200, answer.text
        assert gateway.row(request_id).account in ("main", "second")
    assert stream(client).dones == 1
    gateway.wait_until(
        lambda: gateway.database(
            lambda: list(Alert.objects.filter(event="access_refused", figures__account="wrong"))
        ),
        "the alert",
    )
    ready = httpx.get(gateway.url + "/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["accounts"].startswith("wrong: Cloudflare refuses its token")
    metrics = httpx.get(gateway.url + "/metrics").text
    assert 'gateway_account_asked{account="wrong"} 0.0' in metrics
    assert 'gateway_account_asked{account="main"} 1.0' in metrics
    assert 'gateway_account_requests_total{account="second"}' in metrics
    for secret in (cloud.api_token, SECOND_TOKEN, BAD_TOKEN, SECOND):
        assert secret not in gateway.log + ready.text + metrics
    assert "of the account wrong" in gateway.log
    report = gateway.manage("report_usage", "--by", "account").stdout
    lines = {line["account"]: int(line["requests"]) for line in csv.DictReader(io.StringIO(report))}
    assert sum(lines.values()) == len(gateway.rows())
    assert gateway.manage("check_ledger").returncode == 0
    checked = gateway.manage("check", "--database", "default").stderr
    assert "Cloudflare refuses the gateway's access to the account wrong." in checked


def test_what_is_used_up_or_full_moves_requests_to_another(
    gateway: GatewayProcess, client: httpx.Client, cloud: RunningSimulator
) -> None:
    # A rate of one a minute for each: two pass, the third finds both taken.
    both = {account_of(gateway, client, model=VLLM) for _ in range(2)}
    assert both == {"main", "second"}
    refused = post(client, chat_body(model=VLLM))
    assert_openai_error(refused, 429, code="rate_limit_exceeded", says="no turn came")
    # Upstream's own refusal for a rate costs one account's try, and nobody waits.
    cloud.set_scenario("error-3021", path=f"chat/{SGLANG}", account=SECOND)
    assert {account_of(gateway, client, model=SGLANG) for _ in range(6)} == {"main"}
    # A failure of the model is not the account's.
    cloud.set_scenario("error-5006", path=f"chat/{LEGACY}")
    assert post(client, chat_body(model=LEGACY)).status_code == 400
    cloud.reset()
    # Said in the first event of a stream, of which the client has had nothing.
    cloud.set_scenario("error-in-200", account=cloud.account_id, code=4006)
    assert {streamed_by(gateway, client) for _ in range(16)} == {"second"}
    assert len(cloud.requests) == 17, "the first account was asked once"
    cloud.set_scenario("error-4006", account=cloud.account_id)
    assert {account_of(gateway, client) for _ in range(6)} == {"second"}
    cloud.set_scenario("error-4006")
    gone = post(client, chat_body())
    assert_openai_error(gone, 429, code="insufficient_quota", says="free neurons")
    checks = httpx.get(gateway.url + "/readyz").json()["checks"]
    assert "main: its neurons of the day are used up" in checks["accounts"]
    cloud.reset()
    assert account_of(gateway, client) in ("main", "second"), (
        "one at rest is asked, for want of any"
    )
