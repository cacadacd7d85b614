"""A mock Workers AI for load: a raw protocol without a framework, so as not to be the bottleneck.

What a chat request gets is chosen by its model's name, which every gateway passes on unchanged:
`@cf/bench/n100-g20-d5` streams 100 chunks, 20 ms apart, 5 ms after the request; not streamed, the
answer comes whole after those 5 ms. Each chunk has the time at which it was sent (`ts=`), so
that a load generator on the same machine knows how long it took.

Pictures come as Workers AI sends them (`/ai/run/…`, base64 in JSON, in an envelope) and as OpenAI
does (`/images/generations`), for gateways that know only that. It also takes traces and metrics.
"""

import argparse
import asyncio
import base64
import functools
import gc
import itertools
import json
import os
import re
import ssl
import time
from typing import Any

import uvloop

from bench.mock_catalog import CHAT_SCHEMA, IMAGE_SCHEMA, catalog

ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
API_TOKEN = "bench-upstream-token"
IMAGE_MODEL = "@cf/black-forest-labs/flux-1-schnell"
API_PATH = f"/client/v4/accounts/{ACCOUNT_ID}/ai"
IMAGE_BASE64_CHARS = 1_000_000

# What a request says about its answer is at the start or the end of its body, in large ones too.
SCANNED_BYTES = 2048
_PACE = re.compile(rb"@cf/bench/n(\d+)-g(\d+)-d(\d+)")
_STREAMED = re.compile(rb'"stream":\s*true')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)


def model_name(chunks: int, gap_ms: int, delay_ms: int = 0) -> str:
    return f"@cf/bench/n{chunks}-g{gap_ms}-d{delay_ms}"


MODELS = tuple(model_name(*pace) for pace in ((100, 0), (100, 20), (20, 20), (20, 1000)))


def answer_bytes(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncf-ray: 8f0bench\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


def enveloped(result: Any) -> bytes:
    body = {"result": result, "success": True, "errors": [], "messages": []}
    return answer_bytes("200 OK", json.dumps(body, separators=(",", ":")).encode())


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


# In its place each answer has a number of its own: LiteLLM keeps one row for each id.
ID = b"id-1791402397000"
_ids = itertools.count(1_791_402_397_001)


def next_id() -> bytes:
    return b"id-%d" % next(_ids)


def chunk_of(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": ID.decode(),
        "object": "chat.completion.chunk",
        "created": 1791402397,
        "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
        "choices": choices,
        **more,
    }


USAGE = {
    "prompt_tokens": 42,
    "completion_tokens": 60,
    "total_tokens": 102,
    "prompt_tokens_details": {"cached_tokens": 0},
}
WHOLE = {
    **chunk_of(
        [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "The quick brown fox jumps over the lazy dog. " * 6,
                    "refusal": None,
                    "tool_calls": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
                "stop_reason": None,
            }
        ],
        usage=USAGE,
        prompt_logprobs=None,
    ),
    "object": "chat.completion",
}
_CLOCK = "@clock@"
_CHUNK_START, _CHUNK_AFTER = event(
    chunk_of(
        [
            {
                "index": 0,
                "delta": {"content": f" token ts={_CLOCK};"},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
        p="abdefghijklmno",
    )
).split(_CLOCK.encode())
_CHUNK_BEFORE_ID, _CHUNK_BEFORE = _CHUNK_START.split(ID)
_END = (
    event(
        chunk_of(
            [{"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": "stop"}]
        )
    ),
    event(chunk_of([], usage=USAGE)),
    b"data: [DONE]\n\n",
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"cf-ray: 8f0bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
STREAM_END = b"".join(chunked(part) for part in _END) + b"0\r\n\r\n"


def chunk_bytes(answer_id: bytes, now_s: float) -> bytes:
    parts = (_CHUNK_BEFORE_ID, answer_id, _CHUNK_BEFORE, b"%.6f" % now_s, _CHUNK_AFTER)
    return chunked(b"".join(parts))


class Answers:
    """What is the same for every request, made once."""

    def __init__(self, *, models: int, image_base64_chars: int) -> None:
        # Looks like a JPEG, and cannot be compressed.
        picture = b"\xff\xd8\xff\xe0" + os.urandom(image_base64_chars * 3 // 4 - 4)
        image = base64.b64encode(picture).decode()
        openai_image = {"created": 1791402397, "data": [{"b64_json": image}]}
        chat = answer_bytes("200 OK", json.dumps(WHOLE, separators=(",", ":")).encode())
        self._chat_start, self._chat_end = chat.split(ID)
        self.image = enveloped({"image": image})
        self.openai_image = answer_bytes("200 OK", json.dumps(openai_image).encode())
        more = (f"@cf/bench/more-{n}" for n in range(models - len(MODELS) - 1))
        self.catalog = enveloped(catalog([*MODELS, *more], IMAGE_MODEL))
        self.no_more_pages = enveloped([])
        self.chat_schema = enveloped(CHAT_SCHEMA)
        self.image_schema = enveloped(IMAGE_SCHEMA)
        self.taken = answer_bytes("200 OK", b"")
        missing = b'{"result":null,"success":false,"errors":[{"code":7000,"message":"No route"}]}'
        self.missing = answer_bytes("404 Not Found", missing)

    def chat(self) -> bytes:
        return self._chat_start + next_id() + self._chat_end

    def fixed(self, path: bytes) -> bytes | None:
        """The answer to anything but a chat."""
        if b"/ai/run/" in path:
            return self.image
        if path.endswith(b"/images/generations"):
            return self.openai_image
        if b"/models/search" in path:
            return self.catalog if b"page=1&" in path or b"page" not in path else self.no_more_pages
        if b"/models/schema" in path:
            return self.image_schema if b"flux" in path else self.chat_schema
        if path in (b"/v1/traces", b"/v1/metrics"):
            return self.taken
        return None if path.endswith(b"/chat/completions") else self.missing


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, each answered when it is whole."""

    transport: asyncio.Transport
    answers: Answers

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._received = bytearray()
        self._timer: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        received = self._received
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        head = bytes(received[:head_end])
        start = head_end + 4
        if _CHUNKED.search(head):
            # No client here sends a second request before the answer to the first.
            if not received.endswith(b"0\r\n\r\n"):
                return False
            stop = len(received)
        else:
            length = _LENGTH.search(head)
            stop = start + (int(length[1]) if length else 0)
            if len(received) < stop:
                return False
        telling = bytes(received[start : min(stop, start + SCANNED_BYTES)])
        if stop - start > SCANNED_BYTES:
            telling += bytes(received[max(start, stop - SCANNED_BYTES) : stop])
        del received[:stop]
        self._answer(head.split(b" ", 2)[1], telling)
        return True

    def _answer(self, path: bytes, telling: bytes) -> None:
        fixed = self.answers.fixed(path)
        if fixed is not None:
            self.transport.write(fixed)
            return
        pace = _PACE.search(telling)
        chunks, gap_ms, delay_ms = map(int, pace.groups()) if pace else (100, 0, 0)
        if _STREAMED.search(telling):
            self._later(delay_ms, self._begin_stream, chunks, gap_ms / 1000)
        else:
            self._later(delay_ms, self.transport.write, self.answers.chat())

    def _later(self, delay_ms: int, act: Any, *arguments: Any) -> None:
        if delay_ms:
            self._timer = self._loop.call_later(delay_ms / 1000, act, *arguments)
        else:
            act(*arguments)

    def _begin_stream(self, chunks: int, gap_s: float) -> None:
        self.transport.write(STREAM_HEAD)
        self._next_chunk(next_id(), chunks, gap_s, self._loop.time())

    def _next_chunk(self, answer_id: bytes, left: int, gap_s: float, due: float) -> None:
        if left == 0:
            self.transport.write(STREAM_END.replace(ID, answer_id))
            return
        self.transport.write(chunk_bytes(answer_id, time.monotonic()))
        if gap_s:
            # From when it was due, not from now, or a late timer would delay all that follows.
            due += gap_s
            self._timer = self._loop.call_at(due, self._next_chunk, answer_id, left - 1, gap_s, due)
        else:
            self._timer = self._loop.call_soon(self._next_chunk, answer_id, left - 1, gap_s, due)


async def serve(port: int, answers: Answers, tls_port: int, certificate: str) -> None:
    loop = asyncio.get_running_loop()
    made = functools.partial(Connection, answers)
    if tls_port:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        await loop.create_server(made, "127.0.0.1", tls_port, backlog=4096, ssl=context)
    server = await loop.create_server(made, "127.0.0.1", port, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mock_upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls-port", type=int, default=0, help="listens there for TLS as well")
    parser.add_argument("--certificate", default="", help="with its key, for TLS")
    parser.add_argument("--models", type=int, default=65, help="entries of the catalog")
    parser.add_argument("--image-chars", type=int, default=IMAGE_BASE64_CHARS)
    arguments = parser.parse_args()
    answers = Answers(models=arguments.models, image_base64_chars=arguments.image_chars)
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    uvloop.run(serve(arguments.port, answers, arguments.tls_port, arguments.certificate))


if __name__ == "__main__":
    main()
