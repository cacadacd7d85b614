"""`/simulator/*`: what a test asks of the simulator itself."""

from dataclasses import dataclass
from typing import Any

import orjson

from workers_ai.simulator.recording import Recorder
from workers_ai.simulator.replies import Reply, bare
from workers_ai.simulator.scenarios.asked import LastingScenarios
from workers_ai.simulator.scenarios.registry import REGISTRY, UnknownScenario, checked

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Control:
    lasting: LastingScenarios
    recorder: Recorder

    def answer(self, method: str, path: str, query: Query, body: bytes) -> Reply:
        handlers = {
            ("GET", "/simulator/scenarios"): self._list_scenarios,
            ("GET", "/simulator/scenario"): self._show_lasting,
            ("PUT", "/simulator/scenario"): self._set_lasting,
            ("DELETE", "/simulator/scenario"): self._clear_lasting,
            ("GET", "/simulator/requests"): self._list_requests,
            ("DELETE", "/simulator/requests"): self._forget_requests,
        }
        handler = handlers.get((method, path.rstrip("/")))
        if handler is None:
            known = ", ".join(f"{verb} {where}" for verb, where in handlers)
            return bare({"error": f"The simulator knows {known}."}, 404)
        try:
            return handler(query, body)
        except (UnknownScenario, ValueError) as error:
            return bare({"error": str(error)}, 400)

    def _list_scenarios(self, _query: Query, _body: bytes) -> Reply:
        return bare(
            {
                name: {"description": one.description, "facts": one.facts, "params": one.defaults}
                for name, one in REGISTRY.items()
            }
        )

    def _show_lasting(self, _query: Query, _body: bytes) -> Reply:
        return bare(self.lasting.shown())

    def _set_lasting(self, _query: Query, body: bytes) -> Reply:
        given: Any = orjson.loads(body or b"{}")
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise ValueError(
                'takes {"name": …, "params": {…}, "times": N, "path": …, "account": …}'
            )
        params = given.get("params") or {}
        times = given.get("times")
        if not isinstance(params, dict) or not (times is None or isinstance(times, int)):
            raise ValueError("params is an object and times is a whole number or null")
        wanted = checked(given["name"], {key: str(value) for key, value in params.items()})
        self.lasting.put(given.get("path"), wanted, times, given.get("account"))
        return bare(self.lasting.shown())

    def _clear_lasting(self, _query: Query, _body: bytes) -> Reply:
        self.lasting.clear()
        return bare(self.lasting.shown())

    def _list_requests(self, query: Query, _body: bytes) -> Reply:
        return bare(self.recorder.last(int(query.get("limit", "100"))))

    def _forget_requests(self, _query: Query, _body: bytes) -> Reply:
        self.recorder.records.clear()
        return bare([])
