import pytest

from catalog.classify.by_task import classify
from tests.catalog.entries import (
    Json,
    entry,
    input_of,
)

BYTES = {"audio": {"type": "array", "items": {"type": "number"}}}
WHISPER = {"input": {"oneOf": [{"type": "string", "format": "binary"}, {"properties": BYTES}]}}
TURBO = input_of(audio={"type": "string"}, task={"type": "string", "default": "transcribe"})
NOVA = input_of(audio={"type": "object", "properties": {"body": {}, "contentType": {}}})
WEBSOCKET = input_of(encoding={"type": "string"}, sample_rate={"type": "string"})


@pytest.mark.parametrize(
    ("schema", "sent_as", "endpoints"),
    [
        (WHISPER, "binary", {"transcriptions"}),
        (input_of(**BYTES), "binary", {"transcriptions"}),
        (TURBO, "json_base64", {"transcriptions", "translations"}),
        (NOVA, "stream_object", {"transcriptions"}),
        ({}, "binary", {"transcriptions"}),
    ],
    ids=["whisper", "byte list", "turbo", "nova", "no schema"],
)
def test_speech_is_sent_as_the_schema_says(schema: Json, sent_as: str, endpoints: set[str]) -> None:
    found = classify(entry("@cf/a/asr", "Automatic Speech Recognition"), schema)
    assert found.endpoints == endpoints
    assert found.audio.sent_as == sent_as


@pytest.mark.parametrize("schema", [WEBSOCKET, {}], ids=["schema", "no schema"])
def test_a_websocket_only_model_transcribes_nothing(schema: Json) -> None:
    found = classify(entry("@cf/a/rt", "Automatic Speech Recognition", realtime="true"), schema)
    assert found.endpoints == frozenset()
    assert found.refusals["transcriptions"] == "it works over WebSocket only"


def test_speech_knows_its_voices() -> None:
    schema = input_of(
        text={"type": "string"},
        speaker={"type": "string", "enum": ["luna", "zeus"], "default": "luna"},
    )
    audio = classify(entry("@cf/deepgram/aura", "Text-to-Speech"), schema).audio
    assert (audio.text_field, audio.voice_field) == ("text", "speaker")
    assert (audio.voices, audio.default_voice) == (("luna", "zeus"), "luna")


def test_speech_model_whose_text_field_is_called_prompt() -> None:
    schema = input_of(prompt={"type": "string"}, lang={"type": "string", "default": "en"})
    audio = classify(entry("@cf/myshell/melotts", "Text-to-Speech"), schema).audio
    assert (audio.text_field, audio.voice_field) == ("prompt", None)
    assert set(audio.parameters) == {"lang"}
