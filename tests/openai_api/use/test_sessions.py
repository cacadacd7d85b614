"""Which session and agent a request's row names: of each client, in the stated order."""

import json
from typing import Any

import httpx
import pytest

from openai_api.use.sessions import Session, named_by_body, named_by_headers, person_of
from tests.gateway import GatewayProcess
from tests.openai_api.chats import OPENAI, new_id

RUN = "567ca21e-708f-4954-85fa-10c87c2ea30b"
THREAD = "01a21a13-a842-7570-9fa1-c6227445f223"


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, Session()),
        ({"x-claude-code-session-id": RUN}, Session(RUN)),
        ({"x-claude-code-session-id": RUN, "x-claude-code-agent-id": "a7"}, Session(RUN, "a7")),
        # Codex, and its sub-agents: a thread of its own, or a task in the same thread.
        ({"session-id": RUN, "thread-id": RUN}, Session(RUN)),
        ({"session-id": RUN, "thread-id": THREAD}, Session(RUN, THREAD)),
        (
            {"session_id": RUN, "thread-id": RUN, "x-openai-subagent": "review"},
            Session(RUN, "review"),
        ),
        # opencode, and its sub-agents.
        ({"x-session-affinity": "ses_b", "x-session-id": "ses_b"}, Session("ses_b")),
        ({"x-session-id": "ses_b", "x-parent-session-id": "ses_a"}, Session("ses_a", "ses_b")),
        ({"x-openwebui-chat-id": "chat-1"}, Session("chat-1")),
        ({"x-session-id": "stated", "x-claude-code-session-id": RUN}, Session("stated")),
        ({"x-session-id": "", "session-id": " padded "}, Session("padded")),
        ({"session-id": "a\x00\tb"}, Session("a??b")),
        ({"x-claude-code-agent-id": "alone"}, Session()),
    ],
)
def test_headers_name_session_and_agent(headers: dict[str, str], named: Session) -> None:
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    assert named_by_headers(raw) == named


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ""),
        ([], ""),
        ({"metadata": {"session_id": RUN}, "prompt_cache_key": "less"}, RUN),
        ({"session_id": RUN, "prompt_cache_key": "less"}, RUN),
        ({"prompt_cache_key": RUN}, RUN),
        ({"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": RUN})}}, RUN),
        ({"metadata": {"user_id": f"user_ab12_account__session_{RUN}"}}, RUN),
        ({"user": f"user_ab12_account_9-9_session_{RUN}"}, RUN),
        # A person is no session.
        ({"metadata": {"user_id": "alice"}, "user": "alice"}, ""),
        ({"metadata": {"user_id": "{broken"}}, ""),
        ({"metadata": {"user_id": '{"session_id": ["x"]}'}}, ""),
        ({"metadata": {"session_id": 7}, "prompt_cache_key": {"a": 1}}, ""),
        ({"prompt_cache_key": "\ud800"}, "?"),
    ],
)
def test_bodies_name_a_session(body: Any, named: str) -> None:
    assert named_by_body(body) == named


@pytest.mark.parametrize(
    ("user", "person"),
    [
        ("alice", "alice"),
        (json.dumps({"device_id": "d", "account_uuid": "", "session_id": RUN}), "d"),
        (json.dumps({"device_id": "d", "account_uuid": "a", "session_id": RUN}), "a"),
        (f"user_ab12_account__session_{RUN}", "user_ab12"),
        (f"user_ab12_account_9-9_session_{RUN}", "user_ab12_account_9-9"),
        ('{"team": "a"}', '{"team": "a"}'),
        ("{broken", "{broken"),
        ("", ""),
    ],
)
def test_a_person_is_the_same_over_sessions(user: str, person: str) -> None:
    assert person_of(user) == person


@pytest.mark.parametrize(
    "secret",
    [
        "sk-wai-" + "a" * 49,
        "Bearer abcdefgh",
        "cache of sk-proj-1234",
        "ghp_abcdefgh",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
        "cfut_abcdefgh",
    ],
)
def test_no_secret_becomes_a_session(secret: str) -> None:
    named = named_by_body({"prompt_cache_key": secret})
    assert named.startswith("hidden-") and len(named) == 23
    assert named_by_headers({b"x-session-id": secret.encode()}).id == named


def test_long_names_stay_apart_within_the_column() -> None:
    first, second = (named_by_body({"prompt_cache_key": "x" * 500 + end}) for end in "ab")
    assert len(first) == len(second) == 128
    assert first != second


SAID = [{"role": "user", "content": "hi"}]
CHAT = {"model": OPENAI, "messages": SAID}
CLAUDE = {"metadata": {"user_id": json.dumps({"device_id": "device", "session_id": RUN})}}
ASKED: dict[str, tuple[str, dict[str, Any], dict[str, str], tuple[str, str]]] = {
    "Claude Code, streamed": (
        "/messages",
        {**CHAT, "max_tokens": 50, "stream": True},
        {"x-claude-code-session-id": RUN, "x-claude-code-agent-id": "agent-1"},
        (RUN, "agent-1"),
    ),
    "Claude Code without its header": (
        "/messages",
        {**CHAT, "max_tokens": 50, **CLAUDE},
        {},
        (RUN, ""),
    ),
    "Codex": (
        "/responses",
        {"model": OPENAI, "input": "hi", "stream": True, "prompt_cache_key": RUN},
        {"session-id": RUN, "thread-id": THREAD},
        (RUN, THREAD),
    ),
    "metadata of a chat": (
        "/chat/completions",
        {**CHAT, "metadata": {"session_id": RUN}},
        {},
        (RUN, ""),
    ),
    "cache key": ("/chat/completions", {**CHAT, "prompt_cache_key": "app-1"}, {}, ("app-1", "")),
    "embeddings": (
        "/embeddings",
        {"model": "@cf/baai/bge-m3", "input": "one"},
        {"x-session-id": "s"},
        ("s", ""),
    ),
    # Failures belong to their session too.
    "no such model": (
        "/chat/completions",
        {**CHAT, "model": "x"},
        {"x-session-id": "s"},
        ("s", ""),
    ),
    "none": ("/chat/completions", CHAT, {}, ("", "")),
}


def test_rows_know_their_session_and_agent(client: httpx.Client, gateway: GatewayProcess) -> None:
    for name, (path, body, headers, named) in ASKED.items():
        request_id = new_id()
        client.post(path, json=body, headers={**headers, "x-request-id": request_id})
        row = gateway.row(request_id)
        assert (row.session, row.agent) == named, name
        assert row.user == ("device" if "user_id" in body.get("metadata", {}) else ""), name
