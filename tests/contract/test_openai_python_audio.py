"""The current `openai` package's audio, sync and async, unmodified."""

from pathlib import Path
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
    TranslationVerbose,
)

from tests.gateway import GatewayProcess
from workers_ai import audio_file
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks import sound

AURA = "@cf/deepgram/aura-1"
TURBO = "@cf/openai/whisper-large-v3-turbo"
EVERY_WAY = ["@cf/openai/whisper", TURBO, "@cf/deepgram/nova-3"]
SAID = "one two three four five"
RECORDING = ("speech.wav", sound.wav(SAID, 8000))
HEARD = "this is a simulated transcript"
# The package announces the end of OpenAI's own; apps go on calling it.
TRANSLATIONS_ARE_LEAVING = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("model", EVERY_WAY)
def test_a_recording_is_written_down(openai: OpenAI, model: str) -> None:
    answer = openai.audio.transcriptions.create(model=model, file=RECORDING)
    assert isinstance(answer, Transcription)
    assert answer.text.lower().rstrip(".") == HEARD
    assert answer.usage is not None
    assert answer.usage.type == "duration"
    assert answer.usage.seconds == 2.0


@pytest.mark.parametrize("model", EVERY_WAY)
def test_words_and_segments_have_times(openai: OpenAI, model: str) -> None:
    answer = openai.audio.transcriptions.create(
        model=model,
        file=RECORDING,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="Numbers.",
        temperature=0,
    )
    assert isinstance(answer, TranscriptionVerbose)
    TranscriptionVerbose.model_validate(answer.to_dict(), strict=True)
    assert (answer.language, answer.duration) == ("english", 2.0)
    assert answer.words is not None
    assert answer.segments is not None
    assert answer.words[-1].end == answer.segments[-1].end == 2.0


@pytest.mark.parametrize(
    ("response_format", "begins"),
    [("text", "This is"), ("srt", "1\n00:00:00,000 --> 00:00:02,000\nThis"), ("vtt", "WEBVTT\n")],
)
def test_text_and_subtitles_are_strings(openai: OpenAI, response_format: Any, begins: str) -> None:
    answer: Any = openai.audio.transcriptions.create(
        model=TURBO, file=RECORDING, response_format=response_format
    )
    assert isinstance(answer, str)
    assert answer.startswith(begins)


def test_a_transcript_is_streamed(openai: OpenAI) -> None:
    text = ""
    with openai.audio.transcriptions.create(model=TURBO, file=RECORDING, stream=True) as events:
        for event in events:
            if isinstance(event, TranscriptionTextDeltaEvent):
                text += event.delta
    assert isinstance(event, TranscriptionTextDoneEvent)
    assert event.text == text
    assert text.lower() == HEARD


@TRANSLATIONS_ARE_LEAVING
def test_a_translation_is_english(openai: OpenAI) -> None:
    assert openai.audio.translations.create(model=TURBO, file=RECORDING).text.startswith("What was")
    verbose = openai.audio.translations.create(
        model=TURBO, file=RECORDING, response_format="verbose_json"
    )
    assert isinstance(verbose, TranslationVerbose)
    assert (verbose.language, verbose.duration) == ("english", 2.0)


@TRANSLATIONS_ARE_LEAVING
def test_what_a_model_cannot_do_is_a_bad_request(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as failed:
        openai.audio.translations.create(model="@cf/openai/whisper", file=RECORDING)
    assert failed.value.param == "model"
    assert TURBO in failed.value.message


@pytest.mark.parametrize("response_format", ["mp3", "opus", "aac", "flac", "wav"])
def test_a_text_is_spoken(openai: OpenAI, tmp_path: Path, response_format: Any) -> None:
    file = tmp_path / "speech"
    with openai.audio.speech.with_streaming_response.create(
        model=AURA, voice="shimmer", input=SAID, response_format=response_format
    ) as response:
        response.stream_to_file(file)
    made = file.read_bytes()
    assert audio_file.format_of(made) == response_format
    assert audio_file.seconds(made) == pytest.approx(2, abs=0.05)


def test_what_is_spoken_can_be_written_down(openai: OpenAI) -> None:
    spoken = openai.audio.speech.create(
        model="@cf/myshell-ai/melotts", voice="alloy", input=SAID, instructions="Calmly."
    )
    heard = openai.audio.transcriptions.create(model=TURBO, file=("speech", spoken.read()))
    assert heard.text.lower() == HEARD


async def test_audio_async(async_openai: AsyncOpenAI) -> None:
    spoken = await async_openai.audio.speech.create(model=AURA, voice="luna", input=SAID)
    heard = await async_openai.audio.transcriptions.create(
        model="@cf/deepgram/nova-3", file=("speech.mp3", spoken.content)
    )
    # Silent MP3 frames: Deepgram takes them for a broken file only where every byte is nought.
    assert heard.text


def test_a_voice_that_does_not_exist_is_a_bad_request(
    openai: OpenAI, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    with pytest.raises(sdk.BadRequestError) as failed:
        openai.audio.speech.create(model=AURA, voice="darth", input=SAID)
    assert failed.value.param == "voice"
    assert "'angus'" in failed.value.message
    assert not upstream.requests
