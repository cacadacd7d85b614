"""References to items of earlier answers: found for a while, by their own key, within bounds."""

import json
from typing import Any

import httpx
import pytest

from openai_api.chat_completions.recent_items import BYTES_AROUND_AN_ITEM, RecentItems
from openai_api.wire.kept_by_key import KEYS_AT_LEAST
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, VLLM
from tests.openai_api.event_rules import assert_response_events, events_of

# --- The store --------------------------------------------------------------------------------


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def message(item_id: str, characters: int = 10) -> dict[str, Any]:
    return {"id": item_id, "text": "x" * characters}


def test_items_are_found_by_their_own_key_until_they_expire() -> None:
    clock = Clock()
    store = RecentItems(100_000, 60, clock=clock)
    store.keep(1, [message("msg_1")])
    assert store.find(1, "msg_1") == message("msg_1")
    assert store.find(2, "msg_1") is None
    clock.now_s = 61
    assert store.find(1, "msg_1") is None
    assert store.total_bytes == 0


def test_the_oldest_make_room_and_no_key_takes_all() -> None:
    size = len(json.dumps(message("msg_000"), separators=(",", ":"))) + BYTES_AROUND_AN_ITEM
    most = size * 2 * KEYS_AT_LEAST
    store = RecentItems(most, 60, clock=Clock())
    store.keep(99, [message("msg_000")])
    for number in range(100):
        store.keep(1, [message(f"msg_{number:03}")])
    assert [store.find(1, f"msg_{n:03}") is not None for n in (97, 98, 99)] == [False, True, True]
    assert store.find(99, "msg_000")
    for key in range(2, 30):
        store.keep(key, [message("msg_000"), message("msg_001")])
    assert store.total_bytes <= most
    assert store.find(99, "msg_000") is None
    assert store.find(29, "msg_001")


def test_what_is_larger_than_a_keys_part_is_not_kept() -> None:
    store = RecentItems(8_000, 60, clock=Clock())
    store.keep(1, [message("msg_1", 5_000)])
    assert store.find(1, "msg_1") is None
    nothing = RecentItems(0, 60, clock=Clock())
    nothing.keep(1, [message("msg_1")])
    assert nothing.find(1, "msg_1") is None
    assert store.total_bytes == nothing.total_bytes == 0


# --- Over HTTP --------------------------------------------------------------------------------


def answered(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    body = {"model": VLLM, "input": "Repeat after me: blue parrot", **fields}
    response = client.post("/responses", json=body)
    assert response.status_code == 200, response.text
    if fields.get("stream"):
        return assert_response_events(events_of(response.content))
    told: dict[str, Any] = response.json()
    return told


def follow_up(*ids: str, model: str = VLLM) -> dict[str, Any]:
    references = [{"type": "item_reference", "id": item_id} for item_id in ids]
    said = {"role": "user", "content": "Repeat after me: blue parrot"}
    return {"model": model, "input": [said, *references, {"role": "user", "content": "Go on"}]}


@pytest.mark.parametrize("streamed", [False, True])
def test_the_next_turn_may_refer_to_the_last(
    client: httpx.Client, upstream: Any, streamed: bool
) -> None:
    first = answered(client, stream=streamed)
    ids = [item["id"] for item in first["output"]]
    assert [item_id.partition("_")[0] for item_id in ids] == ["rs", "msg"]
    response = client.post("/responses", json=follow_up(*ids))
    assert response.status_code == 200, response.text
    sent = upstream.requests[-1].body["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == first["output"][1]["content"][0]["text"]
    assert sent[1]["reasoning"]


def test_a_result_may_follow_a_call_that_is_referred_to(client: httpx.Client) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    asked = [{"role": "user", "content": "What is the weather in Paris?"}]
    fields = {"model": OPENAI, "tools": [tool]}
    first = client.post("/responses", json={**fields, "input": asked}).json()
    call = first["output"][-1]
    assert call["type"] == "function_call"
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "Rain, 9 C"}
    given = [*asked, {"type": "item_reference", "id": call["id"]}, output]
    second = client.post("/responses", json={**fields, "input": given})
    assert second.status_code == 200, second.text
    assert "Rain" in second.json()["output"][-1]["content"][0]["text"]


def test_what_is_not_there_is_refused_with_the_cure(
    client: httpx.Client, gateway: GatewayProcess
) -> None:
    unkept = answered(client, store=False)["output"][-1]["id"]
    response = client.post("/responses", json=follow_up(unkept))
    assert_openai_error(response, 400, param="input[1]")
    assert "'store' to false" in response.json()["error"]["message"]
    # Another key's items are as unknown as those that never were.
    kept = answered(client)["output"][-1]["id"]
    other = {"authorization": f"Bearer {gateway.issue_key()}"}
    response = client.post("/responses", json=follow_up(kept), headers=other)
    assert_openai_error(response, 400, param="input[1]")
    twice = client.post("/responses", json=follow_up(kept, kept))
    assert_openai_error(twice, 400, param="input[2]")
    assert "Duplicate" in twice.json()["error"]["message"]


def test_references_to_thoughts_that_are_gone_are_left_out(client: httpx.Client) -> None:
    response = client.post("/responses", json=follow_up("rs_gone"))
    assert response.status_code == 200, response.text
    assert response.headers["x-gateway-ignored"] == "item_reference"


def test_the_tokens_of_an_input_are_estimated(client: httpx.Client) -> None:
    asked = {"model": OPENAI, "input": "word " * 400}
    few = client.post("/responses/input_tokens", json={**asked, "input": "word"}).json()
    many = client.post("/responses/input_tokens", json=asked).json()
    assert set(few) == {"object", "input_tokens"}
    assert few["object"] == "response.input_tokens"
    assert 0 < few["input_tokens"] < many["input_tokens"]
    wrong = client.post("/responses/input_tokens", json={**asked, "input": 7})
    assert_openai_error(wrong, 400, param="input")
    assert_openai_error(client.post("/responses/compact", json=asked), 404, code="unknown_url")
