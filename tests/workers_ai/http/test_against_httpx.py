"""Made-up answers by the thousand, to our connections and to httpx: what both make of them is the
same, but for what a rule names.
"""

import random
import re
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from tests.workers_ai.http.answers_made_up import MadeUp, made_up
from workers_ai.http.connection import Connection
from workers_ai.http.decoded import decoded

ANSWERS = 3_000


@dataclass(frozen=True)
class Outcome:
    """An answer, or why there is none."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    failure: str = ""


class Nobody:
    """The owner of a connection of its own."""

    def is_free(self, connection: Connection) -> None:
        return

    def is_lost(self, connection: Connection) -> None:
        return


class Wire:
    """A transport that takes all and sends nothing."""

    def __init__(self) -> None:
        self.is_closed = False

    def write(self, data: bytes) -> None:
        return

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


def ours(answer: MadeUp) -> Outcome:
    connection = Connection(Nobody(), None)  # type: ignore[arg-type]
    wire = Wire()
    connection.connection_made(wire)
    response = connection.send(b"GET", b"/", b"", None)
    for piece in answer.pieces:
        if not wire.is_closed:
            connection.data_received(piece)
    if not wire.is_closed:
        connection.eof_received()

    async def read() -> Outcome:
        await response.begun()
        plain = decoded(response) if "content-encoding" in response.headers else response
        parts = []
        while part := await plain.read():
            parts.append(part)
        headers = {name: _joined([value]) for name, value in plain.headers.items()}
        return Outcome(plain.status, tuple(sorted(headers.items())), b"".join(parts))

    try:
        return _at_once(read())
    except httpx.HTTPError as error:
        return Outcome(failure=str(error))


def _at_once(reading: Coroutine[Any, Any, Outcome]) -> Outcome:
    """All has arrived, so that nothing is waited for."""
    try:
        reading.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for more, though the answer has ended")


TRANSPORT = httpx.HTTPTransport(trust_env=False)


def theirs(answer: MadeUp) -> Outcome:
    backend = httpcore.MockBackend(list(answer.pieces))
    TRANSPORT._pool = httpcore.ConnectionPool(network_backend=backend)  # type: ignore[assignment]
    try:
        response = TRANSPORT.handle_request(httpx.Request("POST", "http://upstream/"))
        response.request = httpx.Request("POST", "http://upstream/")
        body = response.read()
    except httpx.HTTPError as error:
        return Outcome(failure=str(error))
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.raw:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    joined = {name: _joined(values) for name, values in headers.items()}
    return Outcome(response.status_code, tuple(sorted(joined.items())), body)


def _joined(values: list[str]) -> str:
    text = re.sub(r"\s*,\s*", ", ", ", ".join(value.strip(" \t") for value in values))
    return text.lower() if text.lower() == "chunked" else text  # h11 shows it so


# --- The rules --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A difference that is meant. Patterns are looked for in why there is no answer; an empty one
    stands for an answer.
    """

    name: str
    ours: str
    theirs: str
    why: str

    def allows(self, answer: MadeUp, ours: Outcome, theirs: Outcome) -> bool:
        return all(
            bool(outcome.failure) == bool(pattern) and re.search(pattern, outcome.failure)
            for outcome, pattern in ((ours, self.ours), (theirs, self.theirs))
        )


@dataclass(frozen=True)
class BodyRule(Rule):
    """Both have an answer with another body, in this content coding."""

    coding: bytes = b""

    def allows(self, answer: MadeUp, ours: Outcome, theirs: Outcome) -> bool:
        same_head = (ours.status, ours.headers) == (theirs.status, theirs.headers)
        found = re.search(rb"(?i)content-encoding:[ ]*" + self.coding, answer.raw)
        return same_head and found is not None


RULES = (
    # Refused by us: parsers on the way may read it otherwise, or it cannot be what was meant.
    Rule("a folded header line", "Unexpected whitespace after header value", "", "RFC 9112, 5.2"),
    Rule("a control character in a header", "Invalid header value char", "", "RFC 9110, 5.5"),
    Rule("two lengths", "Duplicate Content-Length", "", "RFC 9110, 8.6 allows it"),
    Rule("a list of lengths", "Invalid character in Content-Length", "", "as two lengths"),
    Rule("an unknown version", "Invalid HTTP version", "", "nobody speaks HTTP/1.2"),
    Rule("an unknown coding", "^content-encoding ", "", "httpx passes the bytes on as they are"),
    Rule("a body that breaks off", "breaks off$", "", "httpx takes what there is for all of it"),
    Rule("damage unseen", "^this is no (x-)?gzip", "", "x-gzip, or behind the first member"),
    # Refused by us, or memory or time would have no bound.
    Rule("many headers", "^more than 256 headers", "", "httpx has no bound on their number"),
    Rule("a long head", "^more than 65536 bytes of headers", "", "h11 has one for those that wait"),
    # Taken by us.
    Rule("lines that end with LF", "", "chunk footer|illegal chunk header", "RFC 9112, 2.2"),
    Rule(
        "empty lines before an answer", "", "no response line|illegal request line", "RFC 9112, 2.2"
    ),
    Rule("a control character in a reason", "", "illegal status line", "nobody reads the reason"),
    Rule(
        "bare deflate in pieces", "", "incorrect header check", "httpx tells it by its first piece"
    ),
    # Decoded by us.
    BodyRule("several members", "", "", "RFC 1952, 2.2; httpx reads the first", b"gzip"),
    BodyRule("x-gzip", "", "", "RFC 9110, 8.4.1.3: the same as gzip", b"x-gzip"),
)


def test_what_both_make_of_an_answer_is_the_same_but_for_named_rules() -> None:
    chance = random.Random(20261126)
    used: Counter[str] = Counter()
    unnamed: list[tuple[bytes, Outcome, Outcome]] = []
    sound = 0
    for _ in range(ANSWERS):
        answer = made_up(chance)
        mine, other = ours(answer), theirs(answer)
        if mine == other or (mine.failure and other.failure):
            sound += not mine.failure
            continue
        rule = next((rule for rule in RULES if rule.allows(answer, mine, other)), None)
        if rule is None:
            unnamed.append((answer.raw[:500], mine, other))
        else:
            used[rule.name] += 1
    assert not unnamed, f"{len(unnamed)} differ and no rule says why, such as {unnamed[0]}"
    assert {rule.name for rule in RULES} == set(used), "a rule that nothing needs"
    # They must not agree only about what is broken.
    assert sound > ANSWERS / 2
