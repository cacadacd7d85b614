"""Which scenarios a request asks for, and its answer under them.

Three ways to ask: `[simulate NAME key=value]` in a prompt or a user's message (works through any
gateway; removed before the model sees it), the header `X-Simulate: NAME key=value`, and the
control API, for scenarios that last.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, failure
from workers_ai.simulator.scenarios import (  # noqa: F401  each registers its scenarios
    answers,
    catalog,
    failure_shapes,
    faults,
    habits,
    stream_bytes,
    stream_chunks,
    stream_ends,
    tools,
)
from workers_ai.simulator.scenarios.registry import REGISTRY as REGISTRY
from workers_ai.simulator.scenarios.registry import UnknownScenario, Wanted, checked

_PARAMS = re.compile(r'([\w-]+)=("[^"]*"|[^\s\]]+)')
_DIRECTIVE = re.compile(r'\s?\[simulate\s+([\w-]+)((?:\s+[\w-]+=(?:"[^"]*"|[^\s\]]+))*)\s*\]\s?')

# Fields of a body that hold what a person wrote.
_WRITTEN = ("prompt", "text", "input", "input_text", "query", "question", "initial_prompt")


@dataclass
class _Lasting:
    wanted: Wanted
    path: str | None
    times: int | None
    account: str | None = None


class LastingScenarios:
    """Scenarios set through the control API: for every request of a path, or for so many. A path is
    a route, or one and a model: `chat`, `chat/@cf/…`, `run/@cf/…`."""

    def __init__(self) -> None:
        self._all: list[_Lasting] = []

    def put(
        self, path: str | None, wanted: Wanted, times: int | None, account: str | None = None
    ) -> None:
        """One scenario for each path, of one account or of all: a new one replaces the old."""
        self._all = [one for one in self._all if (one.path, one.account) != (path, account)]
        self._all.append(_Lasting(wanted, path, times, account))

    def clear(self) -> None:
        self._all = []

    def take(self, call: Call) -> list[Wanted]:
        if not self._all:
            return []
        taken = []
        where = (None, call.route, f"{call.route}/{call.named_model}")
        for one in self._all:
            if one.path not in where or one.times == 0:
                continue
            if one.account not in (None, call.account):
                continue
            if one.times is not None:
                one.times -= 1
            taken.append(one.wanted)
        return taken

    def shown(self) -> list[dict[str, Any]]:
        return [
            {
                "name": one.wanted.scenario.name,
                "params": dict(one.wanted.params),
                "path": one.path,
                "times": one.times,
                "account": one.account,
            }
            for one in self._all
        ]


async def answer(
    call: Call,
    lasting: LastingScenarios,
    handle: Callable[[Call], Awaitable[AnyReply]],
) -> AnyReply:
    """The call's answer under every scenario that was asked for, the first named outermost."""
    try:
        wanted = lasting.take(call) + from_header(call) + from_directives(call)
        proceed: Callable[[], Awaitable[AnyReply]] = partial(handle, call)
        for one in reversed(wanted):
            for layer in one.scenario.layers:
                proceed = partial(layer, call, proceed, one.params)
        return await proceed()
    except UnknownScenario as error:
        return failure(400, 5006, f"Simulator: {error}")


def from_header(call: Call) -> list[Wanted]:
    """`X-Simulate: NAME key=value; NAME2 …`."""
    found = []
    for part in call.headers.get("x-simulate", "").split(";"):
        name, _, params = part.strip().partition(" ")
        if name:
            found.append(checked(name, _params(params)))
    return found


def _params(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _PARAMS.findall(text)}


def from_directives(call: Call) -> list[Wanted]:
    """The directives in what a person wrote; the call's body is left without them."""
    if b"[simulate" not in call.body:
        return []
    found: list[Wanted] = []

    def take(match: re.Match[str]) -> str:
        found.append(checked(match.group(1), _params(match.group(2))))
        return " " if match.group(0)[0] == " " and match.group(0)[-1] == " " else ""

    if call.content_type == "multipart/form-data":
        # Latin-1 keeps every byte as it is, and a directive is ASCII.
        call.body = _DIRECTIVE.sub(take, call.body.decode("latin-1")).encode("latin-1")
        return found
    try:
        data = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        return []
    if isinstance(data, dict):
        call.data = _without_directives(data, partial(_DIRECTIVE.sub, take))
    return found


def _without_directives(body: dict[str, Any], strip: Callable[[str], str]) -> dict[str, Any]:
    changed = dict(body)
    for name in _WRITTEN:
        if name in body:
            changed[name] = _stripped(body[name], strip)
    messages = body.get("messages")
    if isinstance(messages, list):
        changed["messages"] = [
            {**message, "content": _stripped(message.get("content"), strip)}
            if isinstance(message, dict) and message.get("role") == "user" and "content" in message
            else message
            for message in messages
        ]
    return changed


def _stripped(value: Any, strip: Callable[[str], str]) -> Any:
    """Texts, lists of texts, content parts and Responses items without their directives."""
    if isinstance(value, str):
        return strip(value)
    if isinstance(value, list):
        return [_stripped(item, strip) for item in value]
    if isinstance(value, dict):
        inner = ("text", "content", *_WRITTEN)
        return {k: _stripped(v, strip) if k in inner else v for k, v in value.items()}
    return value
