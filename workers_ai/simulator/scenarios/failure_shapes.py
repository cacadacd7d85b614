"""Failures in every shape that Workers AI and AI Gateway were seen to send them in.

Each takes any code, status and message: `[simulate failure shape=flat code=4006 status=429
message="you have used up …"]`.
"""

import uuid
from collections.abc import Callable
from typing import Any

import orjson

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, Reply, bare, model_message
from workers_ai.simulator.scenarios.registry import Params, Proceed, UnknownScenario, scenario

Body = dict[str, Any]


def _envelope(code: int, status: int, message: str) -> Body:
    error = {"message": model_message(message), "code": code}
    return {"errors": [error], "success": False, "result": {}, "messages": []}


def _flat(code: int, status: int, message: str) -> Body:
    """AI Gateway's form of a model's failure."""
    return {
        "name": "AiError",
        "internalCode": code,
        "httpCode": status,
        "message": model_message(f"AiError: {message}"),
        "description": message,
        "requestId": str(uuid.uuid4()),
    }


def _listed(code: int, status: int, message: str) -> Body:
    """AI Gateway's own failures: `error` is a list."""
    return {
        "success": False,
        "result": [],
        "messages": [],
        "error": [{"code": code, "message": message}],
        "name": "AiGatewayError",
        "httpCode": status,
        "internalCode": code,
    }


def _policy(code: int, status: int, message: str) -> Body:
    """AI Gateway's policies: an object without a code."""
    return {"success": False, "error": {"message": message}}


def _bare(code: int, status: int, message: str) -> Body:
    """The inference server's own, as it sends it."""
    return {
        "object": "error",
        "message": message,
        "type": "BadRequestError",
        "param": None,
        "code": status,
    }


def _nested(code: int, status: int, message: str) -> Body:
    """The inference server's, as text in the envelope."""
    return _envelope(
        code, status, "AiError: " + orjson.dumps(_bare(code, status, message)).decode()
    )


def _openai(code: int, status: int, message: str) -> Body:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code or None}}


SHAPES: dict[str, Callable[[int, int, str], Body]] = {
    "envelope": _envelope,
    "flat": _flat,
    "list": _listed,
    "policy": _policy,
    "bare": _bare,
    "nested": _nested,
    "openai": _openai,
}


@scenario(
    "failure",
    "a failure in a shape: " + ", ".join(SHAPES) + ", text or html",
    "16.1",
    shape="flat",
    code=8007,
    status=400,
    message="The prompt is not valid.",
)
async def failure(_call: Call, _proceed: Proceed, params: Params) -> AnyReply:
    shape, status, message = params["shape"], params.count("status"), params["message"]
    if shape in ("text", "html"):
        page = f"<html><head><title>{message}</title></head><body></body></html>"
        body = message if shape == "text" else page
        return Reply(
            status, body.encode(), content_type=f"text/{'plain' if body == message else shape}"
        )
    if shape not in SHAPES:
        raise UnknownScenario(f"shape={shape} is none of {', '.join(SHAPES)}, text, html.")
    return bare(SHAPES[shape](params.count("code"), status, message), status)
