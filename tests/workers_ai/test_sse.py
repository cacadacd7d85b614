"""Bytes → events, for all that the format allows and every way to cut the bytes."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import sse
from workers_ai.sse import Event, EventDecoder, EventTooLarge


def decoded(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.close()


def data(*texts: bytes) -> list[Event]:
    return [("", text) for text in texts]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_ends_a_line(end: bytes) -> None:
    assert decoded(b"data: a" + end + end + b"data: b" + end + end) == data(b"a", b"b")


def test_line_ends_may_be_mixed() -> None:
    assert decoded(b"data: a\r\n\ndata: b\r\rdata: c\n\r\n") == data(b"a", b"b", b"c")


def test_an_event_is_out_as_soon_as_its_blank_line_is_in() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == data(b"a")


@pytest.mark.parametrize("begun", [b"da", b"data: b", b"data: b\n", b"data: b\r"])
def test_it_is_empty_unless_an_event_has_begun(begun: bytes) -> None:
    decoder = EventDecoder()
    assert decoder.is_empty
    decoder.feed(b"data: a\n\n")
    assert decoder.is_empty
    decoder.feed(begun)
    assert not decoder.is_empty


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        (b"data:a\n\n", data(b"a")),
        (b"data:  a\n\n", data(b" a")),
        (b"data\n\n", data(b"")),
        (b"data:\n\n", data(b"")),
        (b": comment\n\n", []),
        (b":\n\ndata: a\n:\n\n", data(b"a")),
        (b"data: a\ndata: b\n\n", data(b"a\nb")),
        (b"data: a\n: comment\ndata: b\n\n", data(b"a\nb")),
        (b"event: error\ndata: a\n\n", [("error", b"a")]),
        (b"event: error\n\ndata: a\n\n", data(b"a")),
        (b"id: 1\nretry: 3\ndata: a\n\n", data(b"a")),
        (b"unknown: 1\nnonsense\ndata: a\n\n", data(b"a")),
        (b"\xef\xbb\xbfdata: a\n\n", data(b"a")),
        (b"data: \xef\xbb\xbfa\n\n", data(b"\xef\xbb\xbfa")),
        (b"data: a", data(b"a")),
        (b"data: a\n", data(b"a")),
        (b"data: a\r", data(b"a")),
        (b"\n\n\n\ndata: a\n\n\n\n", data(b"a")),
        (b"", []),
        (b"data: a\n\nevent: x", data(b"a")),
    ],
)
def test_a_stream_reads_as_the_specification_says(raw: bytes, events: list[Event]) -> None:
    assert decoded(raw) == events


LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data: \xc5\xbc\xf0\x9f\x90\xa2",
        b'data: {"x": "y"}',
        b"data",
        b": ping",
        b":",
        b"event: error",
        b"id: 7",
        b"retry: 10",
        b"",
        b"",
        b"nonsense",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(
    lines=st.lists(LINES, max_size=12),
    end=ENDS,
    last=st.booleans(),
    mark=st.booleans(),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_no_split_changes_the_events(
    lines: list[bytes], end: bytes, last: bool, mark: bool, cuts: list[int]
) -> None:
    raw = (b"\xef\xbb\xbf" if mark else b"") + end.join(lines) + (end if last else b"")
    places = sorted({0, *(min(cut, len(raw)) for cut in cuts), len(raw)})
    parts = [raw[start:stop] for start, stop in pairwise(places)]
    single = [raw[position : position + 1] for position in range(len(raw))]
    assert decoded(*parts) == decoded(raw) == decoded(*single)


def test_an_event_of_two_megabytes_comes_whole() -> None:
    text = b"x" * (2 * 1024 * 1024)
    raw = b"data: " + text + b"\n\n"
    chunks = [raw[start : start + 65536] for start in range(0, len(raw), 65536)]
    assert decoded(*chunks) == data(text)


@pytest.mark.parametrize(
    "endless",
    [
        b"data: " + b"x" * 100 + b"\n",
        b"x" * 100,
        b"data:\n",
        b"data:\r",
        b": comment\n\n",
        b"event: name\n\n",
        b"nonsense\n\n",
        b"\n",
    ],
)
def test_a_stream_without_events_is_given_up(
    endless: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    decoder = EventDecoder()
    with pytest.raises(EventTooLarge):
        for _ in range(2000):
            decoder.feed(endless)


def test_comments_between_events_are_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    decoder = EventDecoder()
    for _ in range(200):
        assert decoder.feed(b"data: a\n\n") == data(b"a")
        assert decoder.feed(b": ping\n\n") == []
        assert decoder.feed(b": ping\ndata: b\n\n: pi") == data(b"b")
        assert decoder.feed(b"ng\n") == []


def test_a_long_line_is_not_copied_for_each_of_its_pieces() -> None:
    def seconds(pieces: int) -> float:
        decoder = EventDecoder()
        decoder.feed(b"data: ")
        began = time.process_time()
        for _ in range(pieces):
            decoder.feed(b"x" * 100)
        return time.process_time() - began

    seconds(1000)
    # Copied each time, the longer one would take 64 times as long, or more.
    assert seconds(80_000) < 30 * seconds(10_000) + 0.05
