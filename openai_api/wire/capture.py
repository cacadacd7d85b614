"""For keys that capture only: keeps what is asked and what is answered.

`KeptBody` wraps a request and keeps its body when it is read. `KeptStream` wraps the writer of a
stream and keeps the texts that it writes. Both add to the ticket's `Capture`, which goes to the
ledger with the row.
"""

import asyncio
from collections.abc import Collection, Iterator
from typing import Any, Final

import orjson
from python_multipart.multipart import parse_options_header

from keys.ledger.captured import Capture, readable
from openai_api.errors import ApiError, BadRequest
from openai_api.exchange import GatewayRequest
from openai_api.use.usage import Usage
from openai_api.wire.body import media_type
from openai_api.wire.multipart import read_form
from openai_api.wire.stream_writer import StreamWriter
from workers_ai.sse import Event

# Larger bodies are searched for pictures in a thread, so as not to block the event loop.
READ_ON_THE_LOOP_BYTES: Final = 64 * 1024
# The kind of a piece of an answer, and its text. Answers begin with plain text.
Piece = tuple[str, str]
TEXT: Final = ""


class KeptBody:
    """A request whose body is kept when it is read."""

    def __init__(self, request: GatewayRequest, capture: Capture) -> None:
        self.request_id = request.request_id
        self.client_ip = request.client_ip
        self.key_id = request.key_id
        self.raw_headers = request.raw_headers
        self.response_headers = request.response_headers
        self.trace = request.trace
        self._request = request
        self._capture = capture

    @property
    def client_gone(self) -> bool:
        return self._request.client_gone

    def watch_client(self) -> None:
        self._request.watch_client()

    async def read_body(self, limit_bytes: int) -> bytes:
        body = await self._request.read_body(limit_bytes)
        if media_type(self._request) == b"multipart/form-data":
            text = await _form_told(self.raw_headers[b"content-type"], body)
        else:
            text = await _readable(body)
        self._capture.asked.add(text)
        return body


class KeptStream:
    """A StreamWriter whose texts are kept as they are written."""

    def __init__(self, writer: StreamWriter, capture: Capture) -> None:
        self._writer = writer
        self._capture = capture
        self._kind = TEXT

    @property
    def answered(self) -> bool:
        return self._writer.answered

    @property
    def done(self) -> bool:
        return self._writer.done

    @property
    def finished(self) -> bool:
        return self._writer.finished

    @property
    def finish_reason(self) -> str:
        return self._writer.finish_reason

    def __getattr__(self, name: str) -> Any:
        # For the endpoint's meter, which reads attributes of its own writer.
        return getattr(self._writer, name)

    def events(self, events: Collection[Event]) -> bytes:
        return self._noted(self._writer.events(events))

    def whole(self, content: bytes) -> bytes:
        return self._noted(self._writer.whole(content))

    def end(self) -> bytes:
        return self._noted(self._writer.end())

    def last(self, usage: Usage) -> bytes:
        return self._writer.last(usage)

    def failed(self, error: ApiError) -> bytes:
        return self._writer.failed(error)

    def anew(self) -> "KeptStream":
        """For a second try, when the first brought nothing."""
        return KeptStream(self._writer.anew(), self._capture)

    def _noted(self, block: bytes) -> bytes:
        for kind, text in pieces(block):
            if kind != self._kind:
                text = f"\n[{kind.strip(', ') or 'text'}] {text}"
                self._kind = kind
            self._capture.answered.add(text)
        return block


async def note_answer(capture: Capture, body: bytes) -> None:
    """Keeps an answer that is sent whole."""
    capture.answered.add(await _readable(body))


async def _readable(body: bytes) -> str:
    if len(body) > READ_ON_THE_LOOP_BYTES:
        return await asyncio.to_thread(readable, body)
    return readable(body)


async def _form_told(content_type: bytes, body: bytes) -> str:
    """A form with one field a line; of files only name, type and size."""
    _, options = parse_options_header(content_type)
    try:
        form = await read_form(options.get(b"boundary", b""), body)
    except BadRequest:
        return f"[a form of {len(body):,} bytes that cannot be read]"
    lines = [f"{name}: {text}" for name, texts in form.fields.items() for text in texts]
    for name, uploads in form.files.items():
        for upload in uploads:
            kind = upload.media_type or "file"
            lines.append(f"{name}: [{upload.filename}, {kind}, {len(upload.data):,} bytes]")
    return "\n".join(lines)


def pieces(block: bytes) -> Iterator[Piece]:
    """The texts in a block of events, in the dialect of any endpoint."""
    for line in block.splitlines():
        if not line.startswith(b"data: {"):
            continue
        event = orjson.loads(line[6:])
        if "choices" in event:
            for choice in event["choices"]:
                yield from _of_choice(choice)
        else:
            yield from _of_typed(event)


def _of_choice(choice: dict[str, Any]) -> Iterator[Piece]:
    """OpenAI's chunks of a chat, or of a text completion."""
    # With the number of the choice, as the chunks of several choices alternate.
    mark = f"choice {choice['index'] + 1}, " if choice["index"] else ""
    delta = choice.get("delta") or {"content": choice.get("text")}
    for name, kind in _DELTAS.items():
        if delta.get(name):
            yield f"{mark}{kind}", delta[name]
    calls = delta.get("tool_calls") or []
    if "function_call" in delta:
        calls = [{"index": 0, "function": delta["function_call"]}]
    for call in calls:
        function = call.get("function") or {}
        if function.get("name"):
            yield mark + _call(call["index"]), f"{function['name']} "
        if function.get("arguments"):
            yield mark + _call(call["index"]), function["arguments"]


_DELTAS: Final = {"reasoning_content": "thoughts", "content": TEXT, "refusal": "refusal"}


def _of_typed(event: dict[str, Any]) -> Iterator[Piece]:
    """Events that say what they are: responses, messages, transcripts."""
    kind = event.get("type")
    if kind in _TYPED_DELTAS:
        yield _TYPED_DELTAS[kind], event["delta"]
    elif kind in _CALL_DELTAS:
        yield _call(event["output_index"]), event["delta"]
    elif kind == "response.output_item.added" and event["item"]["type"] in _CALLS:
        yield _call(event["output_index"]), f"{event['item']['name']} "
    elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
        yield _call(event["index"]), f"{event['content_block']['name']} "
    elif kind == "content_block_delta":
        yield from _of_block(event["index"], event["delta"])


_CALLS: Final = ("function_call", "custom_tool_call")
_CALL_DELTAS: Final = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
)
_TYPED_DELTAS: Final = {
    "response.output_text.delta": TEXT,
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "thoughts",
    "response.reasoning_summary_text.delta": "thoughts",
    "transcript.text.delta": TEXT,
}


def _of_block(index: int, delta: dict[str, Any]) -> Iterator[Piece]:
    if delta["type"] == "text_delta":
        yield TEXT, delta["text"]
    elif delta["type"] == "thinking_delta":
        yield "thoughts", delta["thinking"]
    elif delta["type"] == "input_json_delta":
        yield _call(index), delta["partial_json"]


def _call(index: int) -> str:
    return f"call {index + 1}"
