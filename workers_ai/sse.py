"""Server-sent events: bytes in, events out. Pure, so that any split of the bytes can be tested.

Accepts all that the specification allows (https://html.spec.whatwg.org/multipage/server-sent-events.html):
LF, CRLF and CR line ends, comments, `event:`, `id:` and `retry:` lines, no space after the colon,
data over several lines, a byte order mark. Unlike a browser it also gives the last event when the
stream ends without the blank line.
"""

# Of an event, and of what may be between two: comments, unknown lines. A whole answer in one event
# has a few megabytes at most.
MAX_EVENT_BYTES = 16 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_CR, _LF = b"\r\n"


_BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b": ")


def looks_like_events(body: bytes) -> bool:
    """Whether a body begins as a stream of events and not as JSON, whatever its content type is."""
    return body[:64].removeprefix(_MARK).lstrip().startswith(_BEGINNINGS)


# One event: its `event:` name ("" when unnamed) and the bytes of its data lines. A tuple, which
# takes no call to make: there is one for each chunk of each stream.
Event = tuple[str, bytes]


class EventTooLarge(ValueError):
    """More than MAX_EVENT_BYTES came without a complete event."""


class EventDecoder:
    """Collects bytes split anywhere and returns the events that are complete."""

    __slots__ = ("_data", "_is_between", "_name", "_pending", "_since_event", "_started")

    def __init__(self) -> None:
        # The pieces of a line whose end has not arrived; and the bytes since the last event.
        self._pending: list[bytes] = []
        self._since_event = 0
        self._name = ""
        self._data: list[bytes] = []
        self._started = False
        # Whether nothing has come since the last event, so that a chunk can be an event of its own.
        self._is_between = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for its end."""
        return not (self._pending or self._data)

    def feed(self, chunk: bytes) -> list[Event]:
        """Events completed by `chunk`; raises EventTooLarge."""
        if (
            # What upstream sends nearly always: one event of one line, in a chunk of its own.
            self._is_between
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.find(b"\r") < 0
        ):
            return [("", chunk[6:-2])]
        events = self._feed(chunk)
        if events:
            self._since_event = sum(map(len, self._pending))
        self._is_between = not (self._since_event or self._data or self._name)
        return events

    def _feed(self, chunk: bytes) -> list[Event]:
        self._since_event += len(chunk)
        if self._since_event > MAX_EVENT_BYTES:
            raise EventTooLarge(f"{MAX_EVENT_BYTES} bytes of the stream hold no whole event")
        if self._pending:
            if _LF not in chunk and _CR not in chunk and not self._pending[-1].endswith(b"\r"):
                # Joined when the line has its end, or a long one would be copied for each piece.
                self._pending.append(chunk)
                return []
            chunk = b"".join((*self._pending, chunk))
            self._pending.clear()
        if not self._started:
            if len(chunk) < len(_MARK) and _MARK.startswith(chunk):
                self._keep(chunk)
                return []
            self._started = True
            chunk = chunk.removeprefix(_MARK)
        return self._whole_events(chunk)

    def _whole_events(self, chunk: bytes) -> list[Event]:
        if _CR in chunk:
            chunk = self._plain_line_ends(chunk)
        events: list[Event] = []
        if not self._data and not self._name:
            # Several such events in one chunk, or pieces of them.
            whole, separator, rest = chunk.rpartition(b"\n\n")
            if separator:
                for block in whole.split(b"\n\n"):
                    if block.startswith(b"data: ") and _LF not in block:
                        events.append(("", block[6:]))
                    else:
                        self._lines(block, events)
                        self._dispatch(events)
                self._keep(rest)
                return events
        lines, separator, rest = chunk.rpartition(b"\n")
        if separator:
            self._lines(lines, events)
        self._keep(rest)
        return events

    def close(self) -> list[Event]:
        """The event at the end of the stream that has no blank line after it, if there is one."""
        events: list[Event] = []
        rest = b"".join(self._pending)
        self._pending.clear()
        if rest:
            self._lines(rest.removesuffix(b"\r"), events)
        self._dispatch(events)
        return events

    def _plain_line_ends(self, chunk: bytes) -> bytes:
        held = b""
        if chunk.endswith(b"\r"):  # the LF that belongs to it may be in the next chunk
            chunk, held = chunk[:-1], b"\r"
        chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk + held

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._pending.append(rest)

    def _lines(self, text: bytes, events: list[Event]) -> None:
        for line in text.split(b"\n"):
            if not line:
                self._dispatch(events)
                continue
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
            elif field == b"event":
                self._name = value.decode("utf-8", "replace")

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append((self._name, b"\n".join(self._data)))
            self._data = []
        self._name = ""
