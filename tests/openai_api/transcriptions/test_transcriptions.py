"""`POST /v1/audio/transcriptions` and `/translations`: every model and format, and its row."""

import json
import socket
import struct
import time
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_api.errors import FileTooLarge
from openai_api.transcriptions.request import MAX_FILE_BYTES, TranscriptionRequest, read
from openai_api.transcriptions.transcript import transcript_of
from openai_api.transcriptions.translate import media_type_of
from openai_api.transcriptions.view import metered
from openai_api.wire.multipart import Form, Upload
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import new_id
from workers_ai import audio_file
from workers_ai.errors import UnusableAnswer
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks import sound

WHISPER = "@cf/openai/whisper"  # bytes in, words and vtt out
TURBO = "@cf/openai/whisper-large-v3-turbo"  # base64 in JSON in, segments out
NOVA = "@cf/deepgram/nova-3"  # bytes in, options in the query, channels out
MODELS = [WHISPER, TURBO, NOVA]
RECORDING = sound.wav("one two three four five six seven eight nine ten", 4000)  # 4 seconds
TEXT = "this is a simulated transcript that goes on for as"


def hear(
    client: httpx.Client,
    model: str = TURBO,
    *,
    path: str = "/audio/transcriptions",
    recording: bytes = RECORDING,
    filename: str = "speech.wav",
    request_id: str = "",
    **fields: Any,
) -> httpx.Response:
    return client.post(
        path,
        data={"model": model, **fields},
        files={"file": (filename, recording)},
        headers={"x-request-id": request_id or new_id()},
    )


def translate(client: httpx.Client, model: str = TURBO, **fields: Any) -> httpx.Response:
    return hear(client, model, path="/audio/translations", **fields)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_writes_down_what_it_hears(client: httpx.Client, model: str) -> None:
    response = hear(client, model)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["text"].lower().rstrip(".") == TEXT
    assert body["usage"].pop("cost") > 0
    assert body["usage"] == {"type": "duration", "seconds": 4.0}


@pytest.mark.parametrize("model", MODELS)
def test_verbose_json_has_segments_with_times(client: httpx.Client, model: str) -> None:
    body = hear(client, model, response_format="verbose_json", language="de").json()
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "german", 4.0)
    assert "words" not in body
    assert " ".join(one["text"] for one in body["segments"]) == body["text"]
    for number, segment in enumerate(body["segments"]):
        assert segment["id"] == number
        assert 0 <= segment["start"] < segment["end"] <= 4
        assert segment["tokens"] == []
        assert {"seek", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"} < set(
            segment
        )


@pytest.mark.parametrize("model", MODELS)
def test_words_come_with_their_times(client: httpx.Client, model: str) -> None:
    asked = {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
    body = hear(client, model, **asked).json()
    assert "segments" not in body
    assert [word["word"].lower() for word in body["words"]] == TEXT.split()
    assert body["words"][-1] == {"word": body["words"][-1]["word"], "start": 3.6, "end": 4.0}
    both = {**asked, "timestamp_granularities[]": ["word", "segment"]}
    assert {"words", "segments"} < set(hear(client, model, **both).json())


@pytest.mark.parametrize("model", MODELS)
def test_text_is_plain(client: httpx.Client, model: str) -> None:
    response = hear(client, model, response_format="text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.lower().rstrip(".\n") == TEXT
    assert response.text.endswith("\n")


@pytest.mark.parametrize("model", MODELS)
def test_subtitles(client: httpx.Client, model: str) -> None:
    srt = hear(client, model, response_format="srt").text
    number, times, line = srt.rstrip("\n").split("\n")
    assert (number, times) == ("1", "00:00:00,000 --> 00:00:04,000")
    assert line.lower().rstrip(".") == TEXT
    vtt = hear(client, model, response_format="vtt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text == f"WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n{line}\n\n"


def test_each_model_gets_the_recording_and_the_options_its_way(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    options = {"language": "de", "prompt": "Zürich", "temperature": "0.2"}
    for model in MODELS:
        assert hear(client, model, **options).status_code == 200
    whisper, turbo, nova = upstream.requests
    assert (whisper.body, whisper.query) == ({"size": len(RECORDING)}, {})
    assert turbo.body.pop("audio")
    assert turbo.body == {"task": "transcribe", "language": "de", "initial_prompt": "Zürich"}
    assert nova.body == {"size": len(RECORDING)}
    assert nova.query == {"smart_format": "true", "punctuate": "true", "language": "de"}
    assert nova.headers["content-type"] == "audio/wav"


def test_deepgram_finds_the_language_and_knows_key_terms(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    assert hear(client, NOVA, **{"keywords[]": "Zürich"}).status_code == 200
    query = upstream.requests[-1].query
    assert (query["detect_language"], query["keyterm"]) == ("true", "Zürich")
    assert "language" not in query


@pytest.mark.parametrize(("language", "code"), [("en-US", "en"), ("French", "fr"), ("ES", "es")])
def test_whisper_gets_its_own_codes(
    client: httpx.Client, upstream: RunningSimulator, language: str, code: str
) -> None:
    assert hear(client, language=language).status_code == 200
    assert upstream.requests[-1].body["language"] == code


def test_deepgrams_answer_is_read_without_its_envelope(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("envelope")
    assert hear(client, NOVA).json()["text"].lower().rstrip(".") == TEXT


def test_a_translation_is_english(client: httpx.Client, upstream: RunningSimulator) -> None:
    body = translate(client, response_format="verbose_json").json()
    assert (body["task"], body["language"]) == ("translate", "english")
    assert body["text"].startswith("What was said")
    assert upstream.requests[-1].body["task"] == "translate"
    assert set(translate(client).json()) == {"text"}


@pytest.mark.parametrize("model", [WHISPER, NOVA])
def test_a_model_that_does_not_translate_is_refused_and_the_one_that_does_named(
    client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    refused = translate(client, model)
    assert_openai_error(refused, 400, code="model_not_supported", param="model", says=TURBO)
    assert not upstream.requests


def test_a_model_of_sockets_is_refused(client: httpx.Client) -> None:
    refused = hear(client, "@cf/deepgram/flux")
    assert_openai_error(refused, 400, param="model", says="WebSocket only")


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"response_format": "diarized_json"}, "response_format", "'json', 'text', 'srt'"),
        ({"temperature": "2"}, "temperature", "from 0 to 1"),
        ({"temperature": "warm"}, "temperature", "a number"),
        ({"language": "klingon"}, "language", "ISO-639-1"),
        ({"model": NOVA, "language": "e n"}, "language", "'en-US'"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities", "'verbose_json'"),
        (
            {"timestamp_granularities[]": "line", "response_format": "verbose_json"},
            "timestamp_granularities",
            "'word' and 'segment'",
        ),
        ({"stream": "perhaps"}, "stream", "a boolean"),
        ({"stream": "true", "response_format": "srt"}, "response_format", "'json'"),
        ({"model": ""}, "model", "Missing"),
    ],
)
def test_wrong_fields_are_named(
    client: httpx.Client,
    upstream: RunningSimulator,
    fields: dict[str, Any],
    param: str,
    says: str,
) -> None:
    assert_openai_error(hear(client, **fields), 400, param=param, says=says)
    assert not upstream.requests


def test_without_a_file_nothing_is_heard(client: httpx.Client) -> None:
    empty = client.post("/audio/transcriptions", data={"model": TURBO}, files={"other": b"x"})
    assert_openai_error(empty, 400, code="missing_required_parameter", param="file")
    assert_openai_error(hear(client, recording=b""), 400, param="file", says="empty")
    as_json = client.post("/audio/transcriptions", json={"model": TURBO, "file": "x"})
    assert_openai_error(as_json, 415, says="multipart/form-data")


def test_a_file_over_openais_limit_is_413() -> None:
    upload = Upload("long.wav", "", bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(FileTooLarge) as caught:
        read(Form(fields={"model": [TURBO]}, files={"file": [upload]}))
    assert (caught.value.status, caught.value.param) == (413, "file")


def test_a_file_that_is_announced_too_large_is_413_before_it_is_sent(
    gateway: GatewayProcess, key: str
) -> None:
    head = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: multipart/form-data; boundary=b\r\ncontent-length: 27000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_silence_that_upstream_refuses_is_the_files_fault(
    gateway: GatewayProcess, client: httpx.Client
) -> None:
    request_id = new_id()
    refused = hear(client, NOVA, recording=bytes(64_000), request_id=request_id)
    assert_openai_error(refused, 400, param="file", says="corrupt or unsupported audio")
    row = gateway.row(request_id)
    assert (row.status, row.attempts, row.cost_nano_usd) == (400, 1, 0)


def test_an_empty_answer_is_upstreams_fault(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("empty-success")
    assert_openai_error(hear(client), 502, code="upstream_empty")


def test_a_stream_comes_in_openais_events(gateway: GatewayProcess, client: httpx.Client) -> None:
    request_id = new_id()
    response = hear(client, stream="true", request_id=request_id)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    *deltas, done = [json.loads(line[6:]) for line in response.text.split("\n\n") if line]
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"]
    row = gateway.row(request_id)
    assert (row.stream, row.audio_ms, row.usage_source) == (True, 4000, "upstream")


@pytest.mark.parametrize(
    ("path", "model", "cost_nano_usd"),
    [
        ("transcriptions", WHISPER, 30_000),  # 4 seconds at 0.00045 USD a minute
        ("transcriptions", TURBO, 34_000),
        ("transcriptions", NOVA, 346_667),
        ("translations", TURBO, 34_000),
    ],
)
def test_a_row_has_the_length_and_the_price(
    gateway: GatewayProcess, client: httpx.Client, path: str, model: str, cost_nano_usd: int
) -> None:
    request_id = new_id()
    hear(client, model, path=f"/audio/{path}", request_id=request_id)
    row = gateway.row(request_id)
    assert (row.endpoint, row.model, row.stream) == (path, model, False)
    assert (row.audio_ms, row.cost_nano_usd, row.usage_source) == (4000, cost_nano_usd, "upstream")
    assert row.neurons_micro == pytest.approx(cost_nano_usd / 11_000 * 1e6, rel=0.01)
    assert row.prompt_tokens is None


@pytest.mark.parametrize("model", MODELS)
def test_a_transcript_without_times_is_metered_by_the_file(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    upstream.set_scenario("text-only-transcript")
    request_id = new_id()
    body = hear(client, model, response_format="verbose_json", request_id=request_id).json()
    assert body["duration"] == 4.0
    [segment] = body["segments"]
    assert segment["text"] == body["text"]
    row = gateway.row(request_id)
    assert (row.audio_ms, row.usage_source) == (4000, "estimated")


def test_a_budget_refuses_before_anything_is_heard(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    key = gateway.issue_key(daily_budget_nano_usd=1000)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers) as poor:
        assert_openai_error(hear(poor), 429, code="insufficient_quota")
    assert not upstream.requests


# --- Reading transcripts ----------------------------------------------------------------------


def heard(result: Any) -> Any:
    return transcript_of(json.dumps(result).encode())


def test_segments_come_out_of_a_vtt_where_there_is_nothing_else() -> None:
    vtt = (
        "WEBVTT\r\n\r\n00:01.500 --> 00:03.000\r\nOne\r\n two\r\n\r\n"
        "01:00:00.000 --> 01:00:01.000\nThree\n"
    )
    found = heard({"result": {"text": "One two Three", "vtt": vtt}, "success": True})
    assert [(s.start_s, s.end_s, s.text) for s in found.segments] == [
        (1.5, 3.0, "One two"),
        (3600.0, 3601.0, "Three"),
    ]
    assert found.duration_s == 3601.0


def test_words_are_cut_at_sentences_and_pauses() -> None:
    said = [("so", 0.0), ("far", 0.4), ("and", 0.8), ("on", 3.0)]
    words = [{"word": word, "start": start, "end": start + 0.3} for word, start in said]
    best = {"transcript": "So far. And on", "words": words}
    found = heard({"results": {"channels": [{"alternatives": [best]}]}})
    assert [segment.text for segment in found.segments] == ["So far.", "And", "on"]
    assert found.duration_s == 3.3


def test_long_speech_is_cut_where_subtitles_end() -> None:
    words = [{"word": "word", "start": n * 0.2, "end": n * 0.2 + 0.2} for n in range(100)]
    found = heard({"text": " ".join(["word"] * 100), "words": words})
    assert len(found.segments) > 5
    assert all(len(segment.text) <= 84 for segment in found.segments)


@pytest.mark.parametrize(
    "result",
    [None, [], {}, "text", {"text": 7}, {"results": {}}, {"results": {"channels": [7]}}],
)
def test_what_holds_no_transcript_is_unusable(result: Any) -> None:
    with pytest.raises(UnusableAnswer):
        heard(result)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | st.floats(-1e300, 1e300) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
TIMED = st.dictionaries(
    st.sampled_from(["word", "punctuated_word", "text", "start", "end", "confidence", "words"]), ODD
)


@settings(max_examples=40, deadline=None)
@given(
    result=st.fixed_dictionaries(
        {"text": st.text()},
        optional={
            "words": st.lists(TIMED, max_size=4) | ODD,
            "segments": st.lists(TIMED, max_size=4) | ODD,
            "transcription_info": st.dictionaries(st.sampled_from(["duration", "language"]), ODD),
            "vtt": ODD,
        },
    )
)
def test_no_transcript_is_too_odd(result: dict[str, Any]) -> None:
    found = heard(result)
    assert found.text == result["text"].strip()
    assert found.duration_s is None or found.duration_s > 0


@pytest.mark.parametrize(
    ("filename", "announced", "data", "told"),
    [
        ("speech.mp3", "text/plain", RECORDING, "audio/wav"),
        ("speech.m4a", "", b"????", "audio/mp4"),
        ("speech", "audio/x-caf", b"caff", "audio/x-caf"),
        ("speech", "audio/evil\r\nx: y", b"????", "application/octet-stream"),
        ("speech", "application/json", b"{}", "application/octet-stream"),
    ],
)
def test_the_recordings_type_is_that_of_its_bytes_first(
    filename: str, announced: str, data: bytes, told: str
) -> None:
    asked = TranscriptionRequest("m", Upload(filename, announced, data))
    assert media_type_of(asked) == told


# --- What the sender's header claims ----------------------------------------------------------


def wav(
    seconds: float = 60,
    *,
    byte_rate: int | None = None,
    rate: int = 16_000,
    length: int | None = None,
) -> bytes:
    """Mono of 16 bits at 16 kHz, with a header that may lie."""
    samples = b"\0\1" * int(16_000 * seconds)
    shown = len(samples) if length is None else length
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(samples))
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, rate, byte_rate or rate * 2, 2, 16)
        + b"data"
        + struct.pack("<I", shown)
        + samples
    )


FLAC_OF_A_MOMENT = b"fLaC" + bytes(14) + ((16_000 << 44) | 10).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("data", "at_least_s"),
    [
        (wav(), 60),
        (wav(byte_rate=2**32 - 1), 60),
        (wav(length=100), 60),
        (wav(rate=2**31, byte_rate=32_000), 10),
        (wav()[:12] + wav()[36:] + bytes(10), 48),  # no format at all
        (FLAC_OF_A_MOMENT + bytes(2_000_000), 50),
        (b"\x1aE\xdf\xa3" + b"\x44\x89\x84" + struct.pack(">f", 1.0) + bytes(2_000_000), 50),
        (b"OggS" + bytes(2_000_000), 50),
        (bytes(2_000_000), 50),
    ],
)
def test_no_header_makes_a_recording_shorter_than_its_bytes(data: bytes, at_least_s: int) -> None:
    recording = Upload("a", "audio/wav", data)
    asked = TranscriptionRequest(model="m", recording=recording)
    assert audio_file.least_seconds(data) >= at_least_s
    assert metered(asked, None, None, partial=True).quantities.audio_ms >= at_least_s * 1000


def test_an_honest_recording_has_the_length_of_its_header() -> None:
    asked = TranscriptionRequest(model="m", recording=Upload("a", "audio/wav", wav(4)))
    assert metered(asked, None, None, partial=True).quantities.audio_ms == 4000


@pytest.mark.parametrize("start", [b"RIFF\0\0\0\0WAVE", b"\0\0\0\x08ftyp"])
def test_a_recording_of_millions_of_parts_is_given_up(start: bytes) -> None:
    part = b"junk\0\0\0\0" if start[:1] == b"R" else b"\0\0\0\x08free"
    data = start + part * 3_000_000
    began = time.process_time()
    assert audio_file.seconds(data) is None
    assert audio_file.least_seconds(data) > 500
    assert time.process_time() - began < 0.2


def test_a_recording_with_a_lying_header_costs_what_its_bytes_say(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("hang")
    key = gateway.issue_key(daily_budget_nano_usd=1_000_000)
    headers = {"authorization": f"Bearer {key}"}
    url = gateway.url + "/v1/audio/transcriptions"
    for seconds, told in ((60, None), (700, 429)):
        request_id = new_id()
        try:
            response = httpx.post(
                url,
                data={"model": WHISPER},
                files={"file": ("a.wav", wav(seconds, byte_rate=2**32 - 1))},
                headers={**headers, "x-request-id": request_id},
                timeout=2,
            )
            assert response.status_code == told
        except httpx.ReadTimeout:
            assert told is None
            row = gateway.row(request_id)
            assert (row.end_reason, row.audio_ms) == ("client_gone", 60_000)
            assert row.cost_nano_usd == 450_000
