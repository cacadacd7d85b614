"""A model that refuses the account is marked for everybody, until it answers."""

import httpx

from catalog.models import CatalogModel
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import ask, chat_body, post
from workers_ai.simulator.serve import RunningSimulator

REFUSED = "Refused so far"
VISION = "@cf/meta/llama-3.2-11b-vision-instruct"


def access_of(gateway: GatewayProcess, name: str) -> str:
    return gateway.database(lambda: CatalogModel.objects.get(name=name).access)


def description(client: httpx.Client, name: str) -> str:
    return str(client.get(f"/models/{name}").json().get("description"))


def test_terms_that_were_never_accepted_are_told_and_forgotten(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    refused = post(client, chat_body(model=VISION))
    assert_openai_error(refused, 403, code="model_not_allowed", says="agree")
    gateway.wait_until(lambda: access_of(gateway, VISION) == "terms", "the model is marked")
    gateway.wait_until(lambda: REFUSED in description(client, VISION), "the list tells of it")
    # The simulator takes a run's prompt for the acceptance, as Workers AI does.
    agreed = httpx.post(
        f"{upstream.base_url}/accounts/{upstream.account_id}/ai/run/{VISION}",
        json={"prompt": "agree"},
        headers={"authorization": f"Bearer {upstream.api_token}"},
    )
    assert agreed.status_code == 200
    ask(client, model=VISION)
    gateway.wait_until(lambda: access_of(gateway, VISION) == "", "the mark is gone")


def test_a_model_of_the_paid_plan_says_so(gateway: GatewayProcess, client: httpx.Client) -> None:
    body = chat_body("Hi [simulate error-5035]")
    assert_openai_error(post(client, body), 403, code="model_not_allowed")
    gateway.wait_until(lambda: access_of(gateway, body["model"]) == "plan", "the model is marked")
    gateway.wait_until(lambda: REFUSED in description(client, body["model"]), "the list tells")
    ask(client, model=body["model"])
    gateway.wait_until(lambda: access_of(gateway, body["model"]) == "", "the mark is gone")
