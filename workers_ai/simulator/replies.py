"""What a handler returns to `app`: a whole answer, a stream, or no answer at all."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


@dataclass
class Reply:
    """A whole answer. `data` is the JSON behind `body`, kept so that a scenario can change it."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    data: Any = None


@dataclass
class StreamReply:
    """An answer whose pieces are sent as they are made, each in one write to the socket."""

    pieces: AsyncIterator[bytes]
    status: int = 200
    content_type: str = EVENT_STREAM
    headers: dict[str, str] = field(default_factory=dict)
    # The connection is closed after the last piece, without HTTP's ending.
    broken: bool = False


@dataclass
class NoReply:
    """The connection is closed without an answer."""


# Codes of the platform rather than of a model: their texts carry neither prefix nor id.
PLATFORM_CODES = {2001, 2008, 7000, 7001, 7003, 7009, 9106, 9109, 10000}

AnyReply: TypeAlias = Reply | StreamReply | NoReply


class Refusal(Exception):
    """A request that is answered with a v4 failure: HTTP status, Cloudflare's code, text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class BadInput(Refusal):
    """5006: the input does not match the model's schema."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, 5006, model_message(f"Bad input: Error: {reason}"))


def model_message(text: str) -> str:
    """Text in the form of an inference error: with a prefix, and the request's id at the end."""
    return f"AiError: {text} ({uuid.uuid4()})"


def bare(data: Any, status: int = 200, **headers: str) -> Reply:
    """JSON without an envelope, as `/ai/v1/*` answers success."""
    return Reply(status, orjson.dumps(data), headers=_header_names(headers), data=data)


def success(result: Any, **headers: str) -> Reply:
    return bare({"result": result, "success": True, "errors": [], "messages": []}, 200, **headers)


def failure(status: int, code: int, message: str, result: Any = None, **headers: str) -> Reply:
    envelope = {
        "errors": [{"message": message, "code": code}],
        "success": False,
        # Failures before a model is reached carry null, later ones an empty object.
        "result": None if code in PLATFORM_CODES else {} if result is None else result,
        "messages": [],
    }
    return bare(envelope, status, **headers)


def _header_names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
