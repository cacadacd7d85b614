"""Every endpoint tells every failure of Workers AI, in whatever shape it comes, as what it is.

A table of failures, each with what a client should hear, sent through every endpoint, whole and
streamed; shapes, codes and statuses take turns, so that each meets each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from openai_api.served import SERVED
from tests.gateway import GatewayProcess
from tests.openai_api.image_edits.test_image_edits import png
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks import sound

CHAT = "@cf/moonshotai/kimi-k2.6"
SHAPES = ("envelope", "flat", "list", "policy", "bare", "nested", "openai", "text", "html")
JSON_SHAPES = SHAPES[:7]
RECORDING = sound.wav("one two three", 800)
PICTURE = png()


@dataclass(frozen=True)
class Endpoint:
    """How an endpoint is asked, and the name that it gives to its text."""

    name: str
    body: dict[str, Any]
    prompt: str = "messages"
    files: Callable[[], dict[str, Any]] | None = None

    def ask(self, client: httpx.Client) -> httpx.Response:
        path = SERVED[self.name].path.removeprefix("/v1")
        if self.files is not None:
            return client.post(path, data=self.body, files=self.files())
        return client.post(path, json=self.body)


def _both(name: str, prompt_name: str, /, **body: Any) -> list[Endpoint]:
    return [Endpoint(name, {**body, **more}, prompt_name) for more in ({}, {"stream": True})]


SAID = [{"role": "user", "content": "Hello"}]
ENDPOINTS = [
    *_both("chat", "messages", model=CHAT, messages=SAID),
    *_both("responses", "input", model=CHAT, input="Hello"),
    *_both("messages", "", model=CHAT, messages=SAID, max_tokens=50),
    *_both("completions", "prompt", model=CHAT, prompt="Hello"),
    Endpoint("embeddings", {"model": "@cf/baai/bge-m3", "input": "Hello"}, "input"),
    Endpoint("moderations", {"model": "@cf/meta/llama-guard-3-8b", "input": "Hello"}, "input"),
    Endpoint(
        "decisions",
        {
            "model": "@cf/cloudflare/clef",
            "input": "Hello",
            "questions": [{"type": "predicate", "instructions": "Is it?"}],
        },
        "input",
    ),
    Endpoint(
        "rerank",
        {"model": "@cf/baai/bge-reranker-base", "query": "Hello", "documents": ["a", "b"]},
        "documents",
    ),
    Endpoint(
        "images", {"model": "@cf/black-forest-labs/flux-1-schnell", "prompt": "a cat"}, "prompt"
    ),
    Endpoint(
        "images", {"model": "@cf/black-forest-labs/flux-2-klein-4b", "prompt": "a cat"}, "prompt"
    ),
    Endpoint(
        "image_edits",
        {"model": "@cf/black-forest-labs/flux-2-klein-4b", "prompt": "a cat"},
        "prompt",
        files=lambda: {"image": ("a.png", PICTURE)},
    ),
    Endpoint(
        "transcriptions",
        {"model": "@cf/openai/whisper-large-v3-turbo"},
        "file",
        files=lambda: {"file": ("a.wav", RECORDING)},
    ),
    Endpoint(
        "translations",
        {"model": "@cf/openai/whisper-large-v3-turbo"},
        "file",
        files=lambda: {"file": ("a.wav", RECORDING)},
    ),
    Endpoint(
        "speech", {"model": "@cf/deepgram/aura-2-en", "input": "Hi", "voice": "alloy"}, "input"
    ),
    Endpoint(
        "speech",
        {
            "model": "@cf/deepgram/aura-2-en",
            "input": "Hi",
            "voice": "alloy",
            "stream_format": "sse",
        },
        "input",
    ),
]


@dataclass(frozen=True)
class Failure:
    """What upstream says, under which codes and statuses, and what the client should hear.

    `told`: upstream's words reach the client. `final`: clients are told not to try again. `alarms`:
    only the operator can mend it, and hears of it.
    """

    words: str
    codes: tuple[int, ...]
    statuses: tuple[int, ...]
    status: int
    code: str
    told: bool = True
    final: bool = False
    alarms: bool = False


USED_UP = "you have used up your daily free allocation of 10,000 neurons, please upgrade"
FAILURES = [
    Failure(USED_UP, (4006, 3036, 0), (429,), 429, "insufficient_quota", told=False, final=True),
    Failure(
        "Spend limit exceeded: rule r1 (cost limit 100 per 604800s, sliding)",
        (2041, 0),
        (429, 402),
        429,
        "insufficient_quota",
        final=True,
        alarms=True,
    ),
    Failure(
        "Spending limit exceeded", (0,), (429,), 429, "insufficient_quota", final=True, alarms=True
    ),
    Failure(
        "Type mismatch of '/options/2', 'array' not in 'string'",
        (5006, 8007, 8001, 5999, 0),
        (400, 403, 422),
        400,
        "invalid_request",
    ),
    Failure(
        "Invalid or incomplete input for the model: unexpected shape for input 'image'",
        (3010, 3030, 8007),
        (400,),
        400,
        "invalid_request",
    ),
    Failure(
        "The schema cannot be followed", (5999, 3030, 9015, 0), (403, 400), 400, "invalid_request"
    ),
    Failure(
        "Input prompt contains NSFW content.",
        (8007, 3030, 3010, 0),
        (400, 403),
        400,
        "content_policy_violation",
    ),
    Failure(
        "Prompt blocked due to security configurations",
        (2016, 2017),
        (424, 400),
        400,
        "content_policy_violation",
    ),
    Failure(
        "Max context reached 80030 tokens but model supports only 60000",
        (3030, 8007, 5021, 3010),
        (400, 413),
        400,
        "context_length_exceeded",
        told=False,
    ),
    Failure("No such model @cf/a/b or task", (5007, 3042, 0), (400, 404), 404, "model_not_found"),
    Failure("Model has been deprecated and removed", (5028, 0), (410,), 404, "model_not_found"),
    Failure(
        "Account is not allowed to access this private model",
        (5018, 3041, 0),
        (403,),
        403,
        "model_not_allowed",
    ),
    Failure(
        "Authentication error",
        (10000, 0),
        (401, 403),
        502,
        "upstream_misconfigured",
        told=False,
        final=True,
        alarms=True,
    ),
    Failure("Access denied by policy", (0,), (403,), 403, "policy_denied", final=True, alarms=True),
]


def wrong(
    endpoint: Endpoint, failure: Failure, response: httpx.Response, upstream: RunningSimulator
) -> str:
    """What is wrong with the answer; empty for a good one."""
    anthropic = endpoint.name == "messages"
    if response.headers["content-type"] != "application/json":
        return f"type {response.headers['content-type']}: {response.text}"
    if response.status_code != failure.status:
        return f"status {response.status_code}: {response.text}"
    error = response.json()["error"]
    if set(error) != ({"type", "message"} if anthropic else {"message", "type", "param", "code"}):
        return f"fields {error}"
    if not anthropic and error["code"] != failure.code:
        return f"code {error}"
    if failure.told and failure.words not in error["message"]:
        return f"words {error}"
    if "answered with HTTP status" in error["message"] or "AiError" in error["message"]:
        return f"bare {error}"
    if failure.code == "context_length_exceeded" and (
        "60000" not in error["message"] or (not anthropic and error["param"] != endpoint.prompt)
    ):
        return f"length {error}"
    if failure.final != (response.headers.get("x-should-retry") == "false"):
        return f"retry {dict(response.headers)}"
    if len(upstream.requests) != 1:
        return f"asked {len(upstream.requests)} times"
    return ""


@pytest.mark.parametrize("number", range(len(ENDPOINTS)), ids=lambda n: f"{n}-{ENDPOINTS[n].name}")
def test_every_failure_is_told_as_what_it_is(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, number: int
) -> None:
    endpoint = ENDPOINTS[number]
    before = len(gateway.log)
    quiet: list[str] = []
    loud: list[str] = []
    found: list[str] = []
    for place, failure in enumerate(FAILURES):
        turn = number + place
        sent = {
            "shape": SHAPES[turn % len(SHAPES)],
            "code": failure.codes[turn % len(failure.codes)],
            "status": failure.statuses[turn % len(failure.statuses)],
            "message": failure.words,
        }
        upstream.reset()
        upstream.set_scenario("failure", **sent)
        response = endpoint.ask(client)
        said = wrong(endpoint, failure, response, upstream)
        found += [f"{sent}: {said}"] if said else []
        asked = response.headers["x-request-id"]
        quiet += [] if failure.alarms else [asked]
        loud += [asked] if failure.code == "upstream_misconfigured" else []

    def alarms() -> str:
        return "\n".join(line for line in gateway.log[before:].splitlines() if " ERROR " in line)

    assert loud and not found, "\n".join(found)
    gateway.wait_until(lambda: all(asked in alarms() for asked in loud), "the operator hears")
    found += [asked for asked in quiet if asked in alarms()]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("number", range(len(ENDPOINTS)), ids=lambda n: f"{n}-{ENDPOINTS[n].name}")
def test_a_failure_inside_a_success_is_told_as_well(
    client: httpx.Client, upstream: RunningSimulator, number: int
) -> None:
    endpoint = ENDPOINTS[number]
    told = [failure for failure in FAILURES if failure.told and 5999 not in failure.codes[:1]]
    found = []
    for place, failure in enumerate(told):
        shape = JSON_SHAPES[(number + place) % len(JSON_SHAPES)]
        sent = {"shape": shape, "code": failure.codes[0], "message": failure.words}
        upstream.reset()
        upstream.set_scenario("failure", status=200, **sent)
        said = wrong(endpoint, failure, endpoint.ask(client), upstream)
        found += [f"{sent}: {said}"] if said else []
    assert not found, "\n".join(found)


def test_every_endpoint_has_its_turn() -> None:
    assert {endpoint.name for endpoint in ENDPOINTS} == set(SERVED)
