"""Model list entry + schema → which endpoints can run the model, and how. Pure; never raises.

The schema decides. Where it cannot, the entry's properties do, and a name's suffix only for the two
kinds of picture models whose schemas look like any other (`-img2img`, `-inpainting`). Without a
schema (a few models publish an empty one) the task decides, with the most careful assumptions.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from catalog.classify.chat import text_generation
from catalog.classify.embeddings import text_classification, text_embeddings
from catalog.classify.facts import CHAT, Classification
from catalog.classify.pictures import text_to_image
from catalog.classify.schema_shapes import Schema
from catalog.classify.speech import speech_recognition, text_to_speech
from catalog.entry import Entry, context_window_of, is_true, properties_of, task_of

SCHEMA_UNREAD = "its schema could not be read yet"


def classify(entry: Entry, schema: Schema) -> Classification:
    """What the model can be used for: nothing when neither its schema nor its task says."""
    by_task = _BY_TASK.get(_normal(task_of(entry)))
    properties = properties_of(entry)
    found = by_task(entry, properties, schema) if by_task else Classification()
    return replace(
        found,
        context_window=context_window_of(entry),
        capabilities=found.capabilities | _common_capabilities(properties),
    )


def without_schema(entry: Entry) -> Classification:
    """A new model whose schema could not be read: no endpoint runs it until a refresh reads it."""
    reasons = dict.fromkeys(_NEARLY.get(_normal(task_of(entry)), ()), SCHEMA_UNREAD)
    return replace(classify({**entry, "task": None}, {}), refusals=reasons)


def needs_schema(entry: Entry) -> bool:
    """Whether the schema decides anything: no endpoint runs tasks such as Object Detection."""
    return _normal(task_of(entry)) in _BY_TASK


ByTask = Callable[[Entry, Mapping[str, Any], Schema], Classification]

_BY_TASK: dict[str, ByTask] = {
    "text generation": text_generation,
    "image text to text": text_generation,
    "text to image": text_to_image,
    "text embeddings": text_embeddings,
    "text classification": text_classification,
    "automatic speech recognition": speech_recognition,
    "text to speech": text_to_speech,
}
_NEARLY: dict[str, Collection[str]] = {
    "text generation": CHAT,
    "image text to text": CHAT,
    "text to image": ("images", "image_edits"),
    "text embeddings": ("embeddings",),
    "text classification": ("rerank",),
    "automatic speech recognition": ("transcriptions", "translations"),
    "text to speech": ("speech",),
}

_FLAGS = ("async_queue", "beta", "lora", "partner", "realtime", "require_workers_paid")


def _common_capabilities(properties: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(flag for flag in _FLAGS if is_true(properties.get(flag)))


def _normal(task: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", task.lower()).strip()
