"""The ASGI application: reads a request, checks credentials, routes it, sends the answer.

Plain ASGI without a framework, so that a scenario can send any bytes at any time. A request to the
API goes through `scenarios/asked.py`, which lets the scenarios that were asked for change the
answer or replace it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson

from workers_ai.simulator.access import Access
from workers_ai.simulator.calls import Call, World
from workers_ai.simulator.control import Control
from workers_ai.simulator.forms import FormError, read_form
from workers_ai.simulator.models.catalog import Catalog
from workers_ai.simulator.pacing import Pace
from workers_ai.simulator.recording import Recorder, RequestRecord, shown_headers
from workers_ai.simulator.replies import AnyReply, NoReply, Refusal, Reply, StreamReply, failure
from workers_ai.simulator.routes import handle, route_of
from workers_ai.simulator.scenarios.asked import LastingScenarios, answer

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Upstream publishes no limit (3006); this one only bounds memory.
MAX_BODY_BYTES = 64 * 1024 * 1024
NO_ROUTE = Refusal(400, 7000, "No route for that URI")


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Simulator:
    def __init__(
        self,
        catalog_dir: Path | None = None,
        *,
        speed: float = 1.0,
        account: str | None = None,
        token: str | None = None,
        more_accounts: Mapping[str, str] | None = None,
        gateways: frozenset[str] = frozenset({"default", "simulated"}),
    ) -> None:
        self.world = World(Catalog(catalog_dir), Pace(speed))
        self.access = Access(account, token, more_accounts or {})
        self.gateways = gateways
        self.recorder = Recorder()
        self.lasting = LastingScenarios()
        self.control = Control(self.lasting, self.recorder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(receive)
        except ClientGone:
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        path = scope["path"]
        if path.startswith("/simulator/"):
            reply = self.control.answer(scope["method"], path, query, body)
            await _send(reply, send, scope, None)
            return
        record = RequestRecord(
            scope["method"], path, query, shown_headers(headers), self.access.is_right(headers)
        )
        self.recorder.add(record, body, _parsed(headers, body))
        work = asyncio.create_task(
            self._answer_api(scope, headers, query, body, record, send), name="answer"
        )
        await _until_done_or_gone(work, receive, record)

    async def _answer_api(
        self,
        scope: Scope,
        headers: dict[str, str],
        query: dict[str, str],
        body: bytes,
        record: RequestRecord,
        send: Send,
    ) -> None:
        try:
            call = self._admit(scope, headers, query, body)
        except Refusal as refusal:
            reply: AnyReply = failure(refusal.status, refusal.code, refusal.message)
        else:
            reply = await answer(call, self.lasting, handle)
            if not isinstance(reply, NoReply):
                reply.headers.setdefault("cf-ai-req-id", str(uuid.uuid4()))
                if "cf-aig-gateway-id" in headers:
                    reply.headers.setdefault("cf-aig-cache-status", "MISS")
        record.status = None if isinstance(reply, NoReply) else reply.status
        await _send(reply, send, scope, record)

    def _admit(
        self, scope: Scope, headers: dict[str, str], query: dict[str, str], body: bytes
    ) -> Call:
        """The call behind a request, or the refusal that comes before any model."""
        path: str = scope["path"]
        parts = path.split("/", 6)
        if parts[1:4] != ["client", "v4", "accounts"] or len(parts) < 7 or parts[5] != "ai":
            raise NO_ROUTE
        if b"%2f" in scope.get("raw_path", b"").lower():
            raise NO_ROUTE
        self.access.require(parts[4], headers, path)
        route, model = route_of(scope["method"], parts[6])
        call = Call(self.world, scope["method"], route, query, headers, body, model, parts[4])
        gateway = headers.get("cf-aig-gateway-id")
        if gateway is not None and gateway not in self.gateways:
            raise Refusal(400, 2001, "Please configure AI Gateway in the Cloudflare dashboard")
        if gateway is not None and call.content_type == "multipart/form-data":
            raise Refusal(500, 7000, "No route for that URI")
        return call


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read_body(receive: Receive) -> bytes:
    pieces = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size <= MAX_BODY_BYTES:
            pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


def _parsed(headers: dict[str, str], body: bytes) -> Any:
    """The body as a record shows it: JSON, a form's fields and file sizes, or a size."""
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        try:
            form = read_form(kind, body)
        except FormError:
            return {"size": len(body)}
        return {
            "fields": form.fields,
            "files": {
                name: {"size": len(file.data), "type": file.content_type}
                for name, file in form.files.items()
            },
        }
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return {"size": len(body)}


async def _until_done_or_gone(
    work: "asyncio.Task[None]", receive: Receive, record: RequestRecord
) -> None:
    """Waits for the answer to be sent, and stops it at once when the client leaves."""
    gone = asyncio.create_task(_disconnected(receive), name="disconnect")
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            record.end("complete")
            work.result()
        else:
            record.end("client_closed")
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(reply: AnyReply, send: Send, scope: Scope, record: RequestRecord | None) -> None:
    """Sends an answer. Its record ends before the last bytes leave, for a test to find it ended."""
    if isinstance(reply, NoReply):
        await _break_connection(scope)
        return
    headers = {"content-type": reply.content_type, "cf-ray": _ray(), **reply.headers}
    if isinstance(reply, Reply):
        headers["content-length"] = str(len(reply.body))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    if isinstance(reply, StreamReply):
        await _send_pieces(reply, send)
    if record is not None:
        record.end("complete")
    if isinstance(reply, Reply):
        await send({"type": "http.response.body", "body": reply.body})
    elif reply.broken:
        await _break_connection(scope)
    else:
        await send({"type": "http.response.body", "body": b""})


async def _send_pieces(reply: StreamReply, send: Send) -> None:
    pieces: AsyncIterator[bytes] = reply.pieces
    try:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _break_connection(scope: Scope) -> None:
    """Closes the connection without HTTP's ending, by a function that `serve` puts in the scope."""
    cut = scope.get("extensions", {}).get("workers_ai.simulator.cut")
    if cut is None:
        raise RuntimeError("this server cannot break a connection on purpose")
    cut()
    # The server learns of the closed transport in the next turn of the loop.
    await asyncio.sleep(0)


def _ray() -> str:
    return f"{uuid.uuid4().hex[:16]}-SIM"
