"""What the simulator's other models answer: pictures, vectors, sound, small tasks on text."""

import base64
import io
import math
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from workers_ai import audio_file
from workers_ai.simulator.serve import RunningSimulator, running_simulator
from workers_ai.simulator.tasks import sound
from workers_ai.simulator.tasks.drawing import draw

PHOENIX = "@cf/leonardo/phoenix-1.0"
SCHNELL = "@cf/black-forest-labs/flux-1-schnell"
FLUX_2 = "@cf/black-forest-labs/flux-2-dev"


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def api(simulator: RunningSimulator) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{simulator.base_url}/accounts/{simulator.account_id}/ai/run/",
        headers={"authorization": f"Bearer {simulator.api_token}"},
    ) as client:
        yield client


def picture_of(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    data = answer.content
    if answer.headers["content-type"] == "application/json":
        data = base64.b64decode(answer.json()["result"]["image"])
    return Image.open(io.BytesIO(data))


def assert_refused(answer: httpx.Response, code: int, text: str = "") -> None:
    error = answer.json()["errors"][0]
    assert error["code"] == code
    assert text in error["message"]


def test_a_picture_has_the_size_that_was_asked_for(api: httpx.Client) -> None:
    answer = api.post(PHOENIX, json={"prompt": "a fox", "width": 320, "height": 192})
    assert answer.headers["content-type"] == "image/jpeg"
    assert picture_of(answer).size == (320, 192)


def test_a_picture_depends_on_prompt_and_seed(api: httpx.Client) -> None:
    def drawn(**body: Any) -> bytes:
        return api.post(PHOENIX, json={"width": 128, "height": 128, **body}).content

    fox = drawn(prompt="a fox", seed=1)
    assert fox == drawn(prompt="a fox", seed=1)
    assert fox != drawn(prompt="a fox", seed=2)
    assert fox != drawn(prompt="an owl", seed=1)


def test_a_json_model_answers_in_base64(api: httpx.Client) -> None:
    answer = api.post(SCHNELL, json={"prompt": "a fox"})
    assert picture_of(answer).format == "JPEG"
    assert answer.headers["cf-ai-neurons"] == "57.6"


def test_unknown_fields_are_refused_where_the_schema_is_closed(api: httpx.Client) -> None:
    assert_refused(api.post(SCHNELL, json={"prompt": "a fox", "width": 512}), 5006, "width")


def test_a_prompt_can_be_too_long(api: httpx.Client) -> None:
    answer = api.post(SCHNELL, json={"prompt": "x" * 2049})
    assert_refused(answer, 5006, "Length of '/prompt' must be <= 2048")


def test_a_form_model_refuses_json(api: httpx.Client) -> None:
    answer = api.post(FLUX_2, json={"prompt": "a fox"})
    assert_refused(answer, 5006, "required properties at '/' are 'multipart'")


def test_a_form_model_draws_at_the_forms_size(api: httpx.Client) -> None:
    form = {"prompt": (None, "a fox"), "width": (None, "256"), "height": (None, "512")}
    assert picture_of(api.post(FLUX_2, files=form)).size == (256, 512)


def test_a_reference_picture_must_be_small(api: httpx.Client) -> None:
    large = draw("x", 512, 512, kind="PNG")
    files = {"input_image_0": ("a.png", large, "image/png")}
    answer = api.post(FLUX_2, data={"prompt": "a fox"}, files=files)
    assert_refused(answer, 5006, "smaller than 512x512")


def test_inpainting_changes_only_what_the_mask_shows(api: httpx.Client) -> None:
    def png(colour: str) -> list[int]:
        out = io.BytesIO()
        Image.new("RGB", (256, 256), colour).save(out, "PNG")
        return list(out.getvalue())

    body = {"prompt": "", "image": png("red"), "mask": png("black"), "width": 256, "height": 256}
    answer = api.post("@cf/runwayml/stable-diffusion-v1-5-inpainting", json={**body, "prompt": "x"})
    assert picture_of(answer).convert("RGB").getpixel((2, 250)) == (255, 0, 0)
    body.pop("mask")
    answer = api.post("@cf/runwayml/stable-diffusion-v1-5-inpainting", json={**body, "prompt": "x"})
    assert_refused(answer, 5006, "mask")


def test_like_texts_have_near_vectors(api: httpx.Client) -> None:
    texts = ["the cat sat on the mat", "a cat sat on a mat", "stock prices fell today"]
    result = api.post("@cf/baai/bge-base-en-v1.5", json={"text": texts}).json()["result"]
    one, two, other = result["data"]
    assert result["shape"] == [3, 768]
    assert math.isclose(sum(x * x for x in one), 1, abs_tol=1e-4)

    def nearness(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert nearness(one, two) > nearness(one, other)
    assert result["usage"]["neurons"] > 0


def test_more_texts_than_a_batch_holds_are_refused(api: httpx.Client) -> None:
    assert_refused(api.post("@cf/baai/bge-base-en-v1.5", json={"text": ["x"] * 101}), 5006)


def test_the_openai_endpoint_for_vectors_has_no_usage(simulator: RunningSimulator) -> None:
    answer = httpx.post(
        f"{simulator.base_url}/accounts/{simulator.account_id}/ai/v1/embeddings",
        json={"model": "@cf/baai/bge-m3", "input": "hello"},
        headers={"authorization": f"Bearer {simulator.api_token}"},
    ).json()
    assert len(answer["data"][0]["embedding"]) == 1024
    assert "usage" not in answer


def test_the_best_passage_comes_first(api: httpx.Client) -> None:
    contexts = [{"text": "dogs bark"}, {"text": "cats purr when they are happy"}]
    body = {"query": "why do cats purr", "contexts": contexts, "top_k": 1}
    result = api.post("@cf/baai/bge-reranker-base", json=body).json()["result"]
    assert [one["id"] for one in result["response"]] == [1]


def test_a_transcript_is_as_long_as_the_recording(api: httpx.Client) -> None:
    recording = sound.wav("one two three four five six seven eight nine ten")
    body = {"audio": base64.b64encode(recording).decode()}
    result = api.post("@cf/openai/whisper-large-v3-turbo", json=body).json()["result"]
    assert result["transcription_info"]["duration"] == 4.0
    assert result["word_count"] == 10
    assert result["segments"][-1]["end"] == 4.0


def test_whisper_takes_bytes_or_a_list_of_them(api: httpx.Client) -> None:
    recording = sound.wav("one two")
    by_bytes = api.post("@cf/openai/whisper", content=recording).json()["result"]
    by_list = api.post("@cf/openai/whisper", json={"audio": list(recording)}).json()["result"]
    assert by_bytes == by_list
    assert by_bytes["vtt"].startswith("WEBVTT")


def test_the_large_whisper_takes_base64_only(api: httpx.Client) -> None:
    model = "@cf/openai/whisper-large-v3-turbo"
    assert_refused(api.post(model, json={"audio": [82, 73]}), 5004)
    assert_refused(api.post(model, content=b"RIFF"), 5006)


def test_deepgram_takes_bytes_and_no_json(api: httpx.Client) -> None:
    model = "@cf/deepgram/nova-3"
    headers = {"content-type": "audio/wav"}
    heard = api.post(f"{model}?punctuate=true", content=sound.wav("one two"), headers=headers)
    best = heard.json()["result"]["results"]["channels"][0]["alternatives"][0]
    assert best["transcript"].endswith(".")
    assert_refused(api.post(model, json={"audio": "x"}), 5006, "'body,contentType'")


def test_speech_is_mp3_frames_as_long_as_the_text_takes(api: httpx.Client) -> None:
    answer = api.post("@cf/deepgram/aura-1", json={"text": "one two three four five"})
    assert answer.headers["content-type"] == "audio/mpeg"
    assert sound.duration_seconds(answer.content) == pytest.approx(2.0, abs=0.05)


def test_speech_as_wav_can_be_read(api: httpx.Client) -> None:
    body = {"text": "one two", "encoding": "linear16", "sample_rate": 8000}
    answer = api.post("@cf/deepgram/aura-1", json=body)
    with wave.open(io.BytesIO(answer.content)) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() == 6400


@pytest.mark.parametrize(
    ("encoding", "kind"), [("opus", "opus"), ("flac", "flac"), ("aac", "aac"), ("mp3", "mp3")]
)
def test_every_encoding_is_a_file_as_long_as_the_text_takes(
    api: httpx.Client, encoding: str, kind: str
) -> None:
    body = {"text": "one two three four five", "encoding": encoding}
    made = api.post("@cf/deepgram/aura-2-en", json=body).content
    assert audio_file.format_of(made) == kind
    assert audio_file.seconds(made) == pytest.approx(2.0, abs=0.05)


def test_an_encoding_goes_into_its_own_container_only(api: httpx.Client) -> None:
    body = {"text": "x", "encoding": "mp3", "container": "wav"}
    assert_refused(api.post("@cf/deepgram/aura-1", json=body), 5006, "'/container' wav")


def test_whisper_translates_and_knows_its_languages(api: httpx.Client) -> None:
    model = "@cf/openai/whisper-large-v3-turbo"
    recording = base64.b64encode(sound.wav("uno dos tres cuatro")).decode()
    heard = api.post(model, json={"audio": recording, "task": "translate"}).json()["result"]
    assert heard["text"].startswith("What was said")
    assert_refused(api.post(model, json={"audio": recording, "language": "xx"}), 8001)


def test_a_voice_that_does_not_exist_is_refused(api: httpx.Client) -> None:
    assert_refused(api.post("@cf/deepgram/aura-1", json={"text": "x", "speaker": "me"}), 5006)


@pytest.mark.parametrize(
    ("model", "body", "result"),
    [
        (
            "@cf/meta/m2m100-1.2b",
            {"text": "hello world", "target_lang": "fr"},
            {"translated_text": "bonjour monde"},
        ),
        (
            "@cf/facebook/bart-large-cnn",
            {"input_text": "One. Two. Three."},
            {"summary": "One. Three."},
        ),
        (
            "@cf/huggingface/distilbert-sst-2-int8",
            {"text": "I love it"},
            [{"label": "NEGATIVE", "score": 0.01}, {"label": "POSITIVE", "score": 0.99}],
        ),
    ],
)
def test_small_text_tasks(api: httpx.Client, model: str, body: dict[str, Any], result: Any) -> None:
    assert api.post(model, json=body).json()["result"] == result


@pytest.mark.parametrize("model", ["@cf/microsoft/resnet-50", "@cf/facebook/detr-resnet-50"])
def test_labels_come_as_a_list(api: httpx.Client, model: str) -> None:
    labels = api.post(model, content=draw("x", 64, 64, kind="PNG")).json()["result"]
    assert {"label", "score"} <= set(labels[0])


def test_moondream_answers_only_as_a_stream(api: httpx.Client) -> None:
    url = "data:image/png;base64," + base64.b64encode(draw("x", 64, 48, kind="PNG")).decode()
    model = "@cf/moondream/moondream3.1-9B-A2B"
    assert api.post(model, json={"image": url}).json()["result"] == {}
    assert "64 x 48 pixels" in api.post(model, json={"image": url, "stream": True}).text


def test_clef_answers_closed_questions_and_refuses_others_with_422(api: httpx.Client) -> None:
    def ask(kind: str) -> httpx.Response:
        questions = {"q1": {"type": kind, "instructions": "Is it?"}}
        body = {"model": "clef-omni", "state": {}, "questions": questions}
        return api.post("@cf/cloudflare/clef-omni", json=body)

    assert ask("noul").json()["result"]["answers"]["q1"] == {"type": "noul", "noul": 0.8}
    assert ask("essay").status_code == 422
