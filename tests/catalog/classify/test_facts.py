import json

import pytest

from catalog.classify.by_task import classify
from catalog.classify.facts import (
    classification_from_json,
    classification_to_json,
)
from tests.catalog.entries import (
    DIFFUSION,
    EMBEDDINGS,
    MULTIPART,
    OPENAI_CHAT,
    Json,
    entry,
    input_of,
)

SPOKEN = input_of(audio={"type": "string"}, task={"type": "string"})
EVERY_KIND = [
    (entry("@cf/a/chat", reasoning_effort={"supported_efforts": ["low"]}), OPENAI_CHAT),
    (entry("@cf/a/picture", "Text-to-Image"), DIFFUSION),
    (entry("@cf/a/flux-2", "Text-to-Image"), MULTIPART),
    (entry("@cf/a/bge", "Text Embeddings"), EMBEDDINGS),
    (entry("@cf/a/whisper", "Automatic Speech Recognition"), SPOKEN),
    (entry("@cf/a/resnet", "Image Classification"), {}),
]


@pytest.mark.parametrize(("listed", "schema"), EVERY_KIND)
def test_a_classification_survives_being_stored(listed: Json, schema: Json) -> None:
    found = classify(listed, schema)
    stored = json.loads(json.dumps(classification_to_json(found)))
    assert classification_from_json(stored) == found


def test_what_another_release_stored_is_read_as_far_as_it_is_known() -> None:
    stored = {"endpoints": ["chat", "telepathy"], "chat": {"dialect": "openai", "mood": 7}}
    found = classification_from_json(stored)
    assert found.endpoints == {"chat"}
    assert found.chat is not None and found.chat.dialect == "openai"
