"""`/simulator/*`: what a test asks of the simulator itself."""

from typing import TYPE_CHECKING, Any

import orjson

from workers_ai.simulator.replies import Reply, bare
from workers_ai.simulator.scenarios.registry import REGISTRY, UnknownScenario, checked

if TYPE_CHECKING:
    from workers_ai.simulator.app import Simulator


def answer(
    simulator: "Simulator", method: str, path: str, query: dict[str, str], body: bytes
) -> Reply:
    handlers = {
        ("GET", "/simulator/scenarios"): _list_scenarios,
        ("GET", "/simulator/scenario"): _show_lasting,
        ("PUT", "/simulator/scenario"): _set_lasting,
        ("DELETE", "/simulator/scenario"): _clear_lasting,
        ("GET", "/simulator/requests"): _list_requests,
        ("DELETE", "/simulator/requests"): _forget_requests,
    }
    handler = handlers.get((method, path.rstrip("/")))
    if handler is None:
        known = ", ".join(f"{verb} {where}" for verb, where in handlers)
        return bare({"error": f"The simulator knows {known}."}, 404)
    try:
        return handler(simulator, query, body)
    except (UnknownScenario, ValueError) as error:
        return bare({"error": str(error)}, 400)


def _list_scenarios(_simulator: "Simulator", _query: dict[str, str], _body: bytes) -> Reply:
    return bare(
        {
            name: {"description": one.description, "facts": one.facts, "params": one.defaults}
            for name, one in REGISTRY.items()
        }
    )


def _show_lasting(simulator: "Simulator", _query: dict[str, str], _body: bytes) -> Reply:
    return bare(simulator.lasting.shown())


def _set_lasting(simulator: "Simulator", _query: dict[str, str], body: bytes) -> Reply:
    given: Any = orjson.loads(body or b"{}")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError('takes {"name": …, "params": {…}, "times": N, "path": …}')
    params = given.get("params") or {}
    times = given.get("times")
    if not isinstance(params, dict) or not (times is None or isinstance(times, int)):
        raise ValueError("params is an object and times is a whole number or null")
    wanted = checked(given["name"], {key: str(value) for key, value in params.items()})
    simulator.lasting.put(given.get("path"), wanted, times)
    return bare(simulator.lasting.shown())


def _clear_lasting(simulator: "Simulator", _query: dict[str, str], _body: bytes) -> Reply:
    simulator.lasting.clear()
    return bare(simulator.lasting.shown())


def _list_requests(simulator: "Simulator", query: dict[str, str], _body: bytes) -> Reply:
    return bare(simulator.recorder.last(int(query.get("limit", "100"))))


def _forget_requests(simulator: "Simulator", _query: dict[str, str], _body: bytes) -> Reply:
    simulator.recorder.records.clear()
    return bare([])
