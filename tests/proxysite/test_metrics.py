"""`/metrics`: the totals for Prometheus, for whom the operator named."""

import ipaddress

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxysite.metrics import is_allowed
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, chat_body, post

Samples = dict[tuple[str, str, str], float]


def scraped(gateway: GatewayProcess) -> httpx.Response:
    return httpx.get(gateway.url + "/metrics", timeout=30)


def samples(gateway: GatewayProcess) -> Samples:
    return {
        (sample.name, sample.labels.get("model", ""), sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(scraped(gateway).text)
        for sample in family.samples
        if "limit" not in sample.labels
    }


def test_a_request_moves_the_counters_of_its_model(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    before = samples(tuned_gateway)
    answer = post(tuned_client, chat_body("Say a b c", model=OPENAI))
    after = samples(tuned_gateway)

    def grown(name: str, le: str = "") -> float:
        return after[name, OPENAI, le] - before.get((name, OPENAI, le), 0)

    assert grown("gateway_requests_total") == 1
    assert grown("gateway_errors_total") == 0
    assert grown("gateway_prompt_tokens_total") == answer.json()["usage"]["prompt_tokens"]
    assert grown("gateway_cost_usd_total") > 0
    for time in ("first_byte", "duration"):
        assert grown(f"gateway_{time}_seconds_bucket", "+Inf") == 1
        assert grown(f"gateway_{time}_seconds_count") == 1
        assert grown(f"gateway_{time}_seconds_sum") > 0
    assert after["gateway_ledger_healthy", "", ""] == 1
    assert after["gateway_catalog_models", "", ""] > 20
    assert after["gateway_catalog_age_seconds", "", ""] < 3600


def test_no_key_and_no_owner_is_in_it(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    post(tuned_client, chat_body(user="somebody@example.com"))
    response = scraped(tuned_gateway)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "PROXY_API_KEY" not in response.text
    assert "somebody" not in response.text


def test_it_is_off_unless_a_network_is_named(gateway: GatewayProcess) -> None:
    assert scraped(gateway).status_code == 404


@pytest.mark.parametrize(
    ("client_ip", "allowed"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("::1", True),
        ("::ffff:10.1.2.3", True),
        ("", False),
        ("unix:", False),
    ],
)
def test_only_named_networks_may_read(client_ip: str, allowed: bool, settings: object) -> None:
    settings.METRICS_ALLOWED_NETWORKS = [  # type: ignore[attr-defined]
        ipaddress.ip_network(text) for text in ("10.0.0.0/8", "::1/128")
    ]
    assert is_allowed(client_ip) is allowed


def test_a_team_has_counters_of_its_own(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    tuned_gateway.issue_key("before", owner="tess")
    tuned_gateway.manage("issue_team", 'the "best" team')
    tuned_gateway.manage("team_members", 'the "best" team', "--add", "tess")
    key = tuned_gateway.issue_key("after joining", owner="tess")
    headers = {"authorization": f"Bearer {key}"}
    answer = tuned_client.post("/chat/completions", json=chat_body(model=OPENAI), headers=headers)
    tuned_gateway.row(answer.headers["x-request-id"])
    of_team = {
        sample.name: sample.value
        for family in text_string_to_metric_families(scraped(tuned_gateway).text)
        for sample in family.samples
        if sample.labels.get("team") == 'the "best" team'
    }
    assert of_team["gateway_team_requests_total"] == 1
    assert of_team["gateway_team_cost_usd_total"] > 0
