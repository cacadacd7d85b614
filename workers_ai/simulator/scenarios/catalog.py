"""Ways in which models/search and models/schema go wrong. Other requests pass as they are."""

import asyncio
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, Reply, success
from workers_ai.simulator.scenarios.faults import error_reply
from workers_ai.simulator.scenarios.registry import Params, Proceed, scenario


async def _models(call: Call, proceed: Proceed) -> list[dict[str, Any]] | None:
    """Every model of the catalog, for a models/search; None for any other request."""
    if call.route != "models/search":
        return None
    asked_page = call.query.pop("page", None)
    reply = await proceed()
    if asked_page is not None:
        call.query["page"] = asked_page
    assert isinstance(reply, Reply)
    models: list[dict[str, Any]] = reply.data["result"]
    return models


def _page(call: Call) -> int:
    return int(call.query.get("page") or 1)


@scenario("catalog-empty", "models/search answers with no model at all")
async def catalog_empty(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    return success([]) if call.route == "models/search" else await proceed()


@scenario("catalog-half", "models/search has lost half of its models")
async def catalog_half(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    models = await _models(call, proceed)
    if models is None:
        return await proceed()
    return success(models[: len(models) // 2] if _page(call) == 1 else [])


@scenario("catalog-pages", "models/search really pages", size=20)
async def catalog_pages(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    models = await _models(call, proceed)
    if models is None:
        return await proceed()
    size = params.count("size")
    start = (_page(call) - 1) * size
    return success(models[start : start + size])


@scenario("catalog-repeats", "models/search answers every page with the first", "4")
async def catalog_repeats(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    models = await _models(call, proceed)
    return await proceed() if models is None else success(models)


@scenario("catalog-page-error", "models/search pages, and one page fails", size=20, page=2)
async def catalog_page_error(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if call.route == "models/search" and _page(call) == params.count("page"):
        return error_reply(7009)
    return await catalog_pages(call, proceed, params)


@scenario("catalog-without", "models/search has lost one model", model="@cf/openai/whisper")
async def catalog_without(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    models = await _models(call, proceed)
    if models is None:
        return await proceed()
    left = [model for model in models if model["name"] != params["model"]]
    return success(left if _page(call) == 1 else [])


@scenario("catalog-price", "all per-token prices are another", factor=2)
async def catalog_price(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    models = await _models(call, proceed)
    if models is None:
        return await proceed()
    return success(
        [_repriced(m, params.number("factor")) for m in models] if _page(call) == 1 else []
    )


def _repriced(model: dict[str, Any], factor: float) -> dict[str, Any]:
    properties = [
        {
            **item,
            "value": [
                {**one, "price": one["price"] * factor} if "tokens" in one["unit"] else one
                for one in item["value"]
            ],
        }
        if item["property_id"] == "price"
        else item
        for item in model.get("properties", [])
    ]
    return {**model, "properties": properties}


@scenario("catalog-malformed", "models/search answers with something else than a list")
async def catalog_malformed(call: Call, proceed: Proceed, _params: Params) -> AnyReply:
    return success({"models": 65}) if call.route == "models/search" else await proceed()


@scenario("schema-error", "models/schema fails for one model", model="@cf/openai/whisper")
async def schema_error(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if call.route == "models/schema" and call.query.get("model") == params["model"]:
        return error_reply(7009)
    return await proceed()


@scenario("slow-schemas", "models/schema answers late", seconds=1)
async def slow_schemas(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    if call.route == "models/schema":
        await asyncio.sleep(params.number("seconds"))
    return await proceed()
