"""The scenarios by name, and the decorators that put them there.

A scenario is a layer around the model's own answer: it gets the call, a function that makes the
answer, and its parameters, and gives back an answer. Several can be asked for at once; they nest.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from workers_ai.simulator.calls import Call
from workers_ai.simulator.pacing import TOKEN_SECONDS
from workers_ai.simulator.replies import AnyReply, Reply, StreamReply, bare

Proceed: TypeAlias = Callable[[], Awaitable[AnyReply]]
Layer: TypeAlias = "Callable[[Call, Proceed, Params], Awaitable[AnyReply]]"


class UnknownScenario(Exception):
    """No scenario or parameter has that name; the text lists those that exist."""


class Params(dict[str, str]):
    def number(self, name: str) -> float:
        try:
            return float(self[name])
        except ValueError:
            raise UnknownScenario(f"{name}={self[name]} is not a number") from None

    def count(self, name: str) -> int:
        return int(self.number(name))


@dataclass
class Scenario:
    name: str
    description: str
    # What it simulates, by section and item of the list of upstream's quirks: 8 is about streams, 9
    # about whole answers, 2 about errors. Empty for a fault that any server can have.
    facts: tuple[str, ...]
    defaults: dict[str, str]
    layers: list[Layer] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """A scenario that was asked for, with its parameters filled in."""

    scenario: Scenario
    params: Params


REGISTRY: dict[str, Scenario] = {}


def checked(name: str, given: dict[str, str]) -> Wanted:
    scenario = REGISTRY.get(name)
    if scenario is None:
        raise UnknownScenario(f"No scenario is named {name!r}; there are {', '.join(REGISTRY)}.")
    unknown = sorted(set(given) - set(scenario.defaults))
    if unknown:
        known = ", ".join(scenario.defaults) or "none"
        raise UnknownScenario(f"{name} has no parameter {unknown[0]!r}; it takes {known}.")
    return Wanted(scenario, Params({**scenario.defaults, **given}))


def _add(name: str, description: str, facts: str, defaults: dict[str, Any], layer: Layer) -> None:
    """Puts a layer under a name. Layers for streams and for whole answers may share one."""
    known = REGISTRY.setdefault(name, Scenario(name, "", (), {}))
    known.description = known.description or description
    known.defaults.update({key: str(value) for key, value in defaults.items()})
    known.facts += (facts,) if facts else ()
    known.layers.append(layer)


def scenario(
    name: str, description: str = "", facts: str = "", **defaults: Any
) -> Callable[[Layer], Layer]:
    """For a function that may change or replace the whole answer."""

    def register(layer: Layer) -> Layer:
        _add(name, description, facts, defaults, layer)
        return layer

    return register


Events: TypeAlias = Callable[[str, Params], Iterable[str]]


def wire(
    name: str, description: str = "", facts: str = "", **defaults: Any
) -> Callable[[Events], Events]:
    """For a function that yields the text of each `data:` line in place of the stream's own."""

    def register(lines: Events) -> Events:
        async def layer(call: Call, proceed: Proceed, params: Params) -> AnyReply:
            reply = await proceed()
            if isinstance(reply, StreamReply):
                model = call.model or "@cf/unnamed"
                reply.pieces = _paced_lines(lines(model, params), call)
            return reply

        _add(name, description, facts, defaults, layer)
        return lines

    return register


async def _paced_lines(lines: Iterable[str], call: Call) -> AsyncIterator[bytes]:
    for line in lines:
        await call.pace.wait(TOKEN_SECONDS)
        yield f"data: {line}\n\n".encode()


Pieces: TypeAlias = Callable[[AsyncIterator[bytes], Params], AsyncIterator[bytes]]


def bytewise(
    name: str, description: str = "", facts: str = "", **defaults: Any
) -> Callable[[Pieces], Pieces]:
    """For a function that changes the bytes of a stream, whatever they say."""

    def register(change: Pieces) -> Pieces:
        async def layer(_call: Call, proceed: Proceed, params: Params) -> AnyReply:
            reply = await proceed()
            if isinstance(reply, StreamReply):
                reply.pieces = change(reply.pieces, params)
            return reply

        _add(name, description, facts, defaults, layer)
        return change

    return register


Change: TypeAlias = Callable[[Any, Params], Any]


def whole(
    name: str, description: str = "", facts: str = "", **defaults: Any
) -> Callable[[Change], Change]:
    """For a function that changes the JSON of a successful answer that is not streamed."""

    def register(change: Change) -> Change:
        async def layer(_call: Call, proceed: Proceed, params: Params) -> AnyReply:
            reply = await proceed()
            if isinstance(reply, Reply) and reply.status == 200 and reply.data is not None:
                # The catalog's answers are kept between requests, so never change one in place.
                changed = bare(change(_copied(reply.data), params), 200)
                changed.headers = reply.headers
                return changed
            return reply

        _add(name, description, facts, defaults, layer)
        return change

    return register


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(item) for item in data] if isinstance(data, list) else data


async def forever() -> None:
    await asyncio.Event().wait()
