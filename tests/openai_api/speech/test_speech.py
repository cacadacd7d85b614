"""`POST /v1/audio/speech`: every model and format, as bytes and as events, and its row."""

import base64
import json
from typing import Any

import httpx
import pytest

from catalog.classify.facts import AudioFacts
from openai_api.errors import BadRequest
from openai_api.speech.normalise import SoundMeter
from openai_api.speech.voices import NEAREST, voice_fields
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import new_id
from workers_ai import audio_file
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks import sound

AURA = "@cf/deepgram/aura-1"
ENGLISH = "@cf/deepgram/aura-2-en"
SPANISH = "@cf/deepgram/aura-2-es"
MELO = "@cf/myshell-ai/melotts"
TEXT = "one two three four five"  # 2 seconds
LONG = "word " * 40  # 16 seconds


def say(
    client: httpx.Client, model: str = AURA, *, request_id: str = "", **fields: Any
) -> httpx.Response:
    body = {"model": model, "input": TEXT, "voice": "alloy", **fields}
    return client.post("/audio/speech", json=body, headers={"x-request-id": request_id or new_id()})


@pytest.mark.parametrize(
    ("asked", "media_type", "kind"),
    [
        (None, "audio/mpeg", "mp3"),
        ("mp3", "audio/mpeg", "mp3"),
        ("opus", "audio/ogg; codecs=opus", "opus"),
        ("aac", "audio/aac", "aac"),
        ("flac", "audio/flac", "flac"),
        ("wav", "audio/wav", "wav"),
    ],
)
def test_every_format_is_a_file_that_plays(
    client: httpx.Client, asked: str | None, media_type: str, kind: str
) -> None:
    response = say(client, **({"response_format": asked} if asked else {}))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    assert audio_file.format_of(response.content) == kind
    assert audio_file.seconds(response.content) == pytest.approx(2, abs=0.05)


def test_pcm_is_bare_samples_at_openais_rate(client: httpx.Client) -> None:
    response = say(client, response_format="pcm")
    assert response.headers["content-type"] == "audio/pcm"
    assert response.content == sound.samples(TEXT, 24_000).tobytes()


def test_what_the_model_cannot_give_is_refused_with_what_it_can(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    refused = say(client, MELO, response_format="opus")
    assert_openai_error(refused, 400, param="response_format", says="gives 'mp3', but not 'opus'")
    assert not upstream.requests


def test_the_media_type_is_that_of_the_bytes(client: httpx.Client) -> None:
    """The simulated MeloTTS answers with a WAV, whatever its schema says."""
    response = say(client, MELO)
    assert response.headers["content-type"] == "audio/wav"
    assert audio_file.format_of(response.content) == "wav"


@pytest.mark.parametrize("model", [AURA, MELO])
def test_sound_is_taken_out_of_json_or_as_it_is(
    client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    usual = say(client, model).content
    upstream.set_scenario("other-audio-form")
    assert say(client, model).content == usual


def test_each_model_gets_the_text_and_voice_in_its_own_fields(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    for model, voice in [(AURA, "Zeus"), (SPANISH, "onyx"), (ENGLISH, "nova"), (MELO, "fr")]:
        assert say(client, model, voice=voice).status_code == 200
    mp3 = {"text": TEXT, "encoding": "mp3"}
    assert [request.body for request in upstream.requests] == [
        {**mp3, "speaker": "zeus"},
        {**mp3, "speaker": "sirio"},
        {**mp3, "speaker": "thalia"},
        {"prompt": TEXT, "lang": "fr"},
    ]


@pytest.mark.parametrize(
    ("model", "listed"), [(SPANISH, "'sirio', 'nestor'"), (MELO, "'en', 'es', 'fr'")]
)
def test_an_unknown_voice_is_refused_with_those_there_are(
    client: httpx.Client, upstream: RunningSimulator, model: str, listed: str
) -> None:
    refused = say(client, model, voice="darth")
    assert_openai_error(refused, 400, code="invalid_value", param="voice", says=listed)
    assert not upstream.requests


@pytest.mark.parametrize("voice", NEAREST)
def test_each_of_openais_voices_has_one_here(voice: str) -> None:
    audio = AudioFacts(voice_field="speaker", voices=("zeus", "luna"), default_voice="luna")
    assert voice_fields(voice, audio, model="m") in ({"speaker": "zeus"}, {"speaker": "luna"})
    assert voice_fields(voice, AudioFacts(), model="m") == {}


def test_a_model_that_lists_no_voices_gets_what_is_asked_for() -> None:
    audio = AudioFacts(voice_field="voice")
    assert voice_fields("Bella", audio, model="m") == {"voice": "bella"}
    assert voice_fields("alloy", audio, model="m") == {}
    with pytest.raises(BadRequest):
        voice_fields("bella", AudioFacts(), model="m")


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": None}, "input", "Missing"),
        ({"input": "  "}, "input", "not empty"),
        ({"input": 7}, "input", "a string"),
        ({"input": "x" * 4097}, "input", "at most 4096"),
        ({"model": None}, "model", "Missing"),
        ({"speed": 1.5}, "speed", "one speed"),
        ({"speed": 9}, "speed", "from 0.25 to 4"),
        ({"speed": "fast"}, "speed", "a number"),
        ({"voice": {"id": "voice_1"}}, "voice", "Custom voices"),
        ({"voice": ["alloy"]}, "voice", "a string"),
        ({"response_format": "ogg"}, "response_format", "'mp3', 'opus'"),
        ({"stream_format": "ws"}, "stream_format", "'audio', 'sse'"),
        ({"instructions": 1}, "instructions", "a string"),
    ],
)
def test_wrong_fields_are_named(
    client: httpx.Client, fields: dict[str, Any], param: str, says: str
) -> None:
    assert_openai_error(say(client, **fields), 400, param=param, says=says)


def test_what_changes_nothing_is_taken(client: httpx.Client, upstream: RunningSimulator) -> None:
    assert say(client, speed=1.0, instructions="Whisper.", voice=None).status_code == 200
    assert upstream.requests[-1].body == {"text": TEXT, "encoding": "mp3"}


def test_a_chat_model_does_not_speak(client: httpx.Client) -> None:
    refused = say(client, "@cf/meta/llama-3-8b-instruct")
    assert_openai_error(refused, 400, param="model", says="POST /v1/chat/completions")


def test_the_sound_leaves_while_it_is_being_made(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    """Upstream goes silent in the middle for good, and what came before is there."""
    upstream.set_scenario("stall", after=3)
    request_id = new_id()
    body = {"model": AURA, "input": LONG, "voice": "luna", "response_format": "wav"}
    headers = {"x-request-id": request_id}
    with client.stream("POST", "/audio/speech", json=body, headers=headers) as response:
        reads = response.iter_raw(1024)
        assert next(reads)[:4] == b"RIFF"
        assert next(reads)
    row = gateway.row(request_id)
    assert (row.end_reason, row.usage_source) == ("client_gone", "partial")
    assert row.cost_nano_usd == 15_000 * len(LONG)
    assert upstream.requests[-1].wait_for_end() == "client_closed"


def test_sound_that_breaks_off_does_not_look_whole(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("cut-stream", after=3)
    request_id = new_id()
    with pytest.raises(httpx.RemoteProtocolError):
        say(client, input=LONG, response_format="wav", request_id=request_id)
    row = gateway.row(request_id)
    assert (row.status, row.end_reason, row.error_code) == (200, "upstream_cut", "upstream_cut")
    assert row.cost_nano_usd == 15_000 * len(LONG)


@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("empty-success", 502, "upstream_empty"),
        ("error-3036", 429, "insufficient_quota"),
        ("error-8001", 400, "invalid_request"),
        ("error-as-json", 502, "upstream_error"),
    ],
)
def test_a_failure_before_the_sound_is_an_ordinary_error(
    gateway: GatewayProcess,
    client: httpx.Client,
    upstream: RunningSimulator,
    scenario: str,
    status: int,
    code: str,
) -> None:
    upstream.set_scenario(scenario)
    request_id = new_id()
    assert_openai_error(say(client, request_id=request_id), status, code=code)
    assert gateway.row(request_id).cost_nano_usd in (0, None)


def test_events_carry_the_same_sound(client: httpx.Client) -> None:
    plain = say(client, response_format="pcm").content
    response = say(client, response_format="pcm", stream_format="sse")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = [json.loads(line[6:]) for line in response.text.split("\n\n") if line]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] > 0


def test_events_that_break_off_end_with_an_error(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("cut-stream", after=2)
    response = say(client, response_format="pcm", input=LONG, stream_format="sse")
    last = json.loads(response.text.strip().split("\n\n")[-1][6:])
    assert last["error"]["code"] == "upstream_cut"


@pytest.mark.parametrize(
    ("model", "cost_nano_usd", "response_format"),
    [
        (AURA, 15_000 * len(TEXT), "mp3"),
        (AURA, 15_000 * len(TEXT), "pcm"),
        (ENGLISH, 30_000 * len(TEXT), "opus"),
        (MELO, 6_667, "mp3"),  # 2 seconds at 0.0002 USD a minute
    ],
)
def test_a_row_has_the_length_and_the_price(
    gateway: GatewayProcess,
    client: httpx.Client,
    model: str,
    cost_nano_usd: int,
    response_format: str,
) -> None:
    request_id = new_id()
    say(client, model, request_id=request_id, response_format=response_format)
    row = gateway.row(request_id)
    assert (row.endpoint, row.model, row.stream, row.status) == ("speech", model, False, 200)
    assert row.audio_ms == pytest.approx(2000, abs=50)
    assert row.cost_nano_usd == cost_nano_usd
    assert row.neurons_micro == pytest.approx(cost_nano_usd / 11_000 * 1e6, rel=0.01)
    assert row.usage_source == "upstream"
    assert row.prompt_tokens is None


def test_a_budget_refuses_before_anything_is_said(
    gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    key = gateway.issue_key(daily_budget_nano_usd=1000)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway.url + "/v1", headers=headers) as poor:
        assert_openai_error(say(poor), 429, code="insufficient_quota")
    assert not upstream.requests


@pytest.mark.parametrize(
    ("response_format", "data"),
    [("opus", sound.opus(LONG)), ("wav", sound.wav(LONG)), ("mp3", sound.mp3(LONG))],
)
def test_sound_is_measured_in_pieces(response_format: str, data: bytes) -> None:
    meter = SoundMeter(response_format)
    for start in range(0, len(data), 700):
        meter.take(data[start : start + 700])
    assert meter.ms == pytest.approx(16_000, abs=30)


# --- In parts -----------------------------------------------------------------------------------

# More characters than Deepgram's voices take at once, in few words: sound takes time to make.
TALE = " ".join(f"{letter * 200}." for letter in "abcdefghijklm")


@pytest.mark.parametrize("asked", ["mp3", "aac", "wav", "pcm"])
@pytest.mark.parametrize("sse", [False, True], ids=["bytes", "events"])
def test_a_long_text_is_spoken_in_parts_that_play_on(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, asked: str, sse: bool
) -> None:
    request_id = new_id()
    more = {"stream_format": "sse"} if sse else {}
    response = say(
        client, ENGLISH, input=TALE, response_format=asked, request_id=request_id, **more
    )
    assert response.status_code == 200, response.text
    audio = response.content
    if sse:
        events = [json.loads(line[6:]) for line in response.text.splitlines() if line]
        assert [event["type"] for event in events if "audio" not in event] == ["speech.audio.done"]
        audio = b"".join(base64.b64decode(event["audio"]) for event in events if "audio" in event)
    texts = [request.body["text"] for request in upstream.requests]
    spoken = [text for text in texts if len(text) <= 2000]
    assert "".join(spoken) == TALE
    assert len(spoken) == 2
    assert all(text.rstrip().endswith(".") for text in spoken)
    expected = len(TALE.split()) / sound.WORDS_PER_SECOND
    if asked == "pcm":
        assert len(audio) == pytest.approx(expected * 48_000, rel=0.01)
    else:
        assert audio.count(b"RIFF") == (1 if asked == "wav" else 0)
        assert audio_file.seconds(audio) == pytest.approx(expected, rel=0.01)
    row = gateway.row(request_id, timeout_s=2)
    assert row.status == 200
    assert row.cost_nano_usd == pytest.approx(len(TALE) * 30_000, rel=0.02)


@pytest.mark.parametrize("asked", ["opus", "flac"])
def test_a_format_that_cannot_be_joined_says_what_is_too_long(
    client: httpx.Client, asked: str
) -> None:
    response = say(client, ENGLISH, input=TALE, response_format=asked)
    assert_openai_error(response, 400, code="invalid_request", param="input", says="limit of 2000")


def test_a_later_part_that_fails_ends_the_events_with_the_error(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    say(client, ENGLISH, input=TALE)
    text = TALE.replace(" l", " [simulate error-4006] l")
    response = say(client, ENGLISH, input=text, stream_format="sse")
    last = json.loads([line for line in response.text.splitlines() if line][-1][6:])
    assert last["error"]["code"] == "insufficient_quota"
