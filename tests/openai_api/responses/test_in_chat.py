"""Bodies of Responses sent to the path of chats, as Cursor's agent does: answered as chats."""

from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.openai_api.chats import VLLM, events, opened
from tests.openai_api.schemas import assert_chunks, assert_completion
from workers_ai.simulator.serve import RunningSimulator

READ = {
    "type": "function",
    "name": "read_file",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /(.|\\n)+/"}
PATCH = {"type": "custom", "name": "ApplyPatch", "description": "Edits files.", "format": GRAMMAR}
TEXT = "*** Begin Patch\n*** End Patch"
ASKED = (
    'Mend it. [decide [{"read_file": {"path": "a.py"}}, {"ApplyPatch": {"input": '
    '"*** Begin Patch\\n*** End Patch"}}, "Done."]]'
)


def body(*later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request of Cursor's agent."""
    return {
        "model": VLLM,
        "input": [
            {"role": "system", "content": "You edit files."},
            {"role": "user", "content": [{"type": "input_text", "text": ASKED}]},
            *later,
        ],
        "tools": [READ, PATCH],
        "tool_choice": "auto",
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "low"},
        "store": False,
        "stream_options": {"include_usage": True},
        **fields,
    }


def called(call: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a call and its result, as the next request holds them."""
    if call["type"] == "custom":
        said = {"type": "custom_tool_call", "call_id": call["id"], **call["custom"]}
        done = "custom_tool_call_output"
    else:
        said = {"type": "function_call", "call_id": call["id"], **call["function"]}
        done = "function_call_output"
    return [said, {"type": done, "call_id": call["id"], "output": "ok"}]


def test_an_agent_goes_through_its_turns(client: httpx.Client, upstream: RunningSimulator) -> None:
    later: list[dict[str, Any]] = []
    made = []
    for _ in range(2):
        answer = client.post("/chat/completions", json=body(*later)).json()
        [call] = answer["choices"][0]["message"]["tool_calls"]
        made.append(call)
        later += called(call)
    assert made[0]["function"] == {"name": "read_file", "arguments": '{"path":"a.py"}'}
    assert made[1]["custom"] == {"name": "ApplyPatch", "input": TEXT}
    last = client.post("/chat/completions", json=body(*later)).json()
    assert_completion(last)
    assert last["choices"][0]["message"]["content"] == "Done."
    sent = upstream.requests[-1].body
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert sent["reasoning_effort"] == "medium"


@pytest.mark.parametrize("wanted", [True, False])
def test_it_streams_chunks_of_a_chat(client: httpx.Client, wanted: bool) -> None:
    asked = body(stream_options={"include_usage": wanted})
    with opened(client, asked) as (response, seen):
        for _ in events(response, seen):
            pass
    assert_chunks(seen.chunks)
    assert seen.calls == [("read_file", '{"path":"a.py"}')]
    assert (seen.usage is not None) == wanted


def test_an_error_names_the_field_that_was_sent(client: httpx.Client) -> None:
    asked = body()
    asked["input"] = [{"role": "robot", "content": "x"}]
    assert_openai_error(client.post("/chat/completions", json=asked), 400, param="input[0].role")


def test_messages_go_before_input(client: httpx.Client, upstream: RunningSimulator) -> None:
    asked = body(messages=[{"role": "user", "content": "Hi"}], tools=None, tool_choice=None)
    assert client.post("/chat/completions", json=asked).status_code == 200
    assert upstream.requests[-1].body["messages"] == [{"role": "user", "content": "Hi"}]
