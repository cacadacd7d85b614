"""One request to the simulated API, as handlers see it, and what they share between requests."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from workers_ai.simulator.models.catalog import Catalog
from workers_ai.simulator.pacing import Pace
from workers_ai.simulator.replies import BadInput, Refusal


@dataclass
class World:
    """What is kept between requests."""

    catalog: Catalog
    pace: Pace
    # Models that this account may use although they refuse others: by terms or by form.
    admitted: set[str] = field(default_factory=set)
    # Prompts by model and session, for the prefix cache.
    prompts: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)
    failures: OrderedDict[str, int] = field(default_factory=OrderedDict)
    # When each account asked each model, while their rates are simulated.
    taken: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def common_prefix(self, model: str, session: str, prompt: str) -> int:
        """How many characters the prompt begins with as the session's last one did; stores it."""
        before = self.prompts.get((model, session), "")
        self.prompts[(model, session)] = prompt
        self.prompts.move_to_end((model, session))
        while len(self.prompts) > 256:
            self.prompts.popitem(last=False)
        length = 0
        for old, new in zip(before, prompt, strict=False):
            if old != new:
                break
            length += 1
        return length


@dataclass
class Call:
    world: World
    method: str
    route: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    model: str = ""
    account: str = ""
    # The parsed body once it was asked for; scenarios remove their directive from it.
    data: Any = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def named_model(self) -> str:
        """The model of the path, or the one that the body names, as a chat's does."""
        if self.model:
            return self.model
        try:
            data = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return ""
        return str(data.get("model", "")) if isinstance(data, dict) else ""

    @property
    def pace(self) -> Pace:
        return self.world.pace

    def entry(self) -> dict[str, Any]:
        """The catalog's entry of the model asked for."""
        entry = self.world.catalog.entry(self.model)
        if entry is None:
            raise Refusal(400, 5007, f"No such model {self.model} or task")
        return entry

    def schema(self) -> dict[str, Any]:
        return self.world.catalog.schema(self.model)

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object."""
        if not self.body:
            raise Refusal(400, 3003, "Request is missing headers or body")
        if self.data is None:
            try:
                self.data = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                raise BadInput("body is not valid JSON") from None
        if not isinstance(self.data, dict):
            raise BadInput("Type mismatch of '/', the body must be an object")
        return self.data
