import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.classify.by_task import classify, needs_schema, without_schema
from catalog.classify.facts import (
    CHAT,
    ENDPOINTS,
    Classification,
    classification_from_json,
    classification_to_json,
)
from tests.catalog.entries import (
    DIFFUSION,
    EMBEDDINGS,
    GUARD,
    LEGACY_CHAT,
    MULTIPART,
    OPENAI_CHAT,
    PROMPT_ONLY_PICTURES,
    TOKEN_PRICE,
    Json,
    entry,
    usd,
)


def properties(**fields: Json) -> Json:
    return {"input": {"type": "object", "properties": fields}}


# --- Chat -------------------------------------------------------------------------------------


def chat(schema: Json, **flags: Any) -> Any:
    found = classify(entry("@cf/meta/some-chat", price=TOKEN_PRICE, **flags), schema)
    assert found.endpoints == CHAT
    assert found.chat is not None
    return found.chat


def test_legacy_chat_model_takes_text_only_and_answers_256_tokens() -> None:
    facts = chat(LEGACY_CHAT)
    assert facts.dialect == "legacy"
    assert not facts.takes_content_parts
    assert facts.default_max_tokens == 256
    assert facts.json_mode
    assert facts.parameters["temperature"].maximum == 5


def test_the_batch_form_of_a_schema_is_not_taken_for_chat() -> None:
    assert "requests" not in chat(LEGACY_CHAT).parameters


def test_openai_dialect_is_told_by_its_fields() -> None:
    facts = chat(OPENAI_CHAT)
    assert facts.dialect == "openai"
    assert facts.takes_content_parts


def test_openai_schema_lists_pictures_for_all_so_only_the_property_means_vision() -> None:
    assert not chat(OPENAI_CHAT).vision
    assert chat(OPENAI_CHAT, vision="true").image_input == "parts"


def test_legacy_schema_with_picture_parts_means_vision_without_the_property() -> None:
    schema = json.loads(json.dumps(LEGACY_CHAT))
    form = schema["input"]["oneOf"][1]["properties"]
    form["messages"] = OPENAI_CHAT["input"]["anyOf"][0]["oneOf"][1]["properties"]["messages"]
    facts = chat(schema)
    assert facts.dialect == "legacy"
    assert (facts.vision, facts.image_input, facts.takes_content_parts) == (True, "parts", True)


def test_a_picture_beside_the_messages_is_a_top_level_field() -> None:
    schema = json.loads(json.dumps(LEGACY_CHAT))
    schema["input"]["oneOf"][1]["properties"]["image"] = {"type": "array"}
    assert chat(schema).image_input == "top_level"


def test_responses_form_beside_a_legacy_one_is_the_openai_dialect_with_efforts() -> None:
    reasoning = {
        "type": "object",
        "properties": {"effort": {"enum": ["low", "medium", "high"], "default": "medium"}},
    }
    responses = {"properties": {"input": {"type": "string"}, "reasoning": reasoning}}
    facts = chat({"input": {"oneOf": [LEGACY_CHAT["input"], responses]}})
    assert facts.dialect == "openai"
    assert facts.reasoning_effort.supported == ("low", "medium", "high")
    assert facts.reasoning_effort.default == "medium"
    assert facts.reasoning_effort.mandatory


def test_the_entry_beats_the_schema_on_reasoning_efforts() -> None:
    told = {
        "supported_efforts": ["max", "none"],
        "default_effort": "max",
        "default_enabled": True,
        "mandatory": False,
        "normalizes_to": {"null": "max", "low": "none"},
    }
    effort = chat(OPENAI_CHAT, reasoning_effort=told).reasoning_effort
    assert effort.supported == ("max", "none")
    assert effort.default_enabled is True
    assert not effort.mandatory
    assert effort.normalizes_to == {"null": "max", "low": "none"}


def test_tools_need_the_property_since_every_legacy_schema_lists_them() -> None:
    assert not chat(LEGACY_CHAT).tools
    assert not chat(LEGACY_CHAT, function_calling="false").tools
    facts = chat(LEGACY_CHAT, function_calling="true")
    assert facts.tools
    assert {"tools", "tool_choice"} <= set(facts.supported_parameters)


def test_supported_parameters_are_those_of_the_schema() -> None:
    assert chat(LEGACY_CHAT).supported_parameters == (
        "max_tokens",
        "response_format",
        "structured_outputs",
        "temperature",
        "top_k",
    )
    assert chat(OPENAI_CHAT).supported_parameters == ("max_tokens", "stop")


@pytest.mark.parametrize(
    "nullable",
    [
        {"type": ["number", "null"], "minimum": 0, "maximum": 2},
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 2}, {"type": "null"}]},
    ],
)
def test_a_field_that_may_be_null_is_known_all_the_same(nullable: Json) -> None:
    fields = {"messages": {"type": "array"}, "temperature": nullable, "stop": {"anyOf": []}}
    temperature = chat(properties(**fields)).parameters["temperature"]
    assert (temperature.kind, temperature.minimum, temperature.maximum) == ("number", 0, 2)


def test_a_field_of_several_kinds_is_no_plain_one() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "array"}]}
    assert "stop" not in chat(properties(messages={}, stop=either)).parameters


def test_without_a_schema_an_old_chat_model_is_legacy_and_a_frontier_one_openai() -> None:
    assert chat({}).dialect == "legacy"
    assert chat({}, require_workers_paid="true").dialect == "openai"
    assert chat({"input": {}, "output": {}}).schema_known is False


def test_a_text_generation_model_without_messages_is_no_chat_model() -> None:
    found = classify(entry("@cf/cloudflare/clef"), properties(state={}, questions={}))
    assert found.endpoints == frozenset()
    assert found.refusals["chat"] == "it takes no messages"


def test_a_model_of_prompts_alone_serves_completions() -> None:
    found = classify(entry("@cf/a/base"), properties(prompt={"type": "string"}))
    assert found.endpoints == {"completions"}
    assert found.chat is not None


def test_without_schema_and_output_price_a_text_model_is_not_taken_for_chat() -> None:
    found = classify(entry("@cf/a/scores", price=[usd(0.1, "per M input tokens")]), {})
    assert found.endpoints == frozenset()


def test_llama_guard_moderates_and_does_not_chat() -> None:
    found = classify(entry("@cf/meta/some-guard"), GUARD)
    assert found.endpoints == {"moderations"}
    assert "chat" in found.refusals
    assert classify(entry("@cf/meta/llama-guard-3-8b"), {}).endpoints == {"moderations"}


# --- Pictures ---------------------------------------------------------------------------------


def picture(name: str, schema: Json, **flags: Any) -> Classification:
    found = classify(entry(name, "Text-to-Image", **flags), schema)
    assert found.image is not None
    return found


def test_prompt_only_model_takes_no_field_that_its_closed_schema_lacks() -> None:
    recipe = picture("@cf/bfl/schnell", PROMPT_ONLY_PICTURES).image
    assert recipe.closed
    assert not recipe.takes_size
    assert recipe.prompt_max_length == 2048
    assert recipe.steps_field == "steps"
    assert recipe.parameters["steps"].maximum == 8


def test_a_default_told_only_in_the_description_is_found() -> None:
    assert picture("@cf/bfl/schnell", PROMPT_ONLY_PICTURES).image.default_steps == 4


def test_diffusion_model_makes_and_edits_pictures() -> None:
    found = picture("@cf/stability/sdxl", DIFFUSION)
    assert found.endpoints == {"images", "image_edits"}
    assert found.image.takes_image and not found.image.needs_image
    assert found.image.image_fields == ("image_b64", "image")
    assert found.image.steps_field == "num_steps"
    assert found.image.parameters["width"].minimum == 256


@pytest.mark.parametrize(
    ("suffix", "needs_mask", "reason"),
    [
        ("-img2img", False, "it needs an input image (image to image)"),
        ("-inpainting", True, "it needs an input image and a mask (inpainting)"),
    ],
)
@pytest.mark.parametrize("schema", [DIFFUSION, {}], ids=["schema", "no schema"])
def test_a_suffix_tells_that_a_picture_is_needed(
    suffix: str, needs_mask: bool, reason: str, schema: Json
) -> None:
    found = picture(f"@cf/runwayml/stable-diffusion-v1-5{suffix}", schema)
    assert found.endpoints == {"image_edits"}
    assert found.refusals["images"] == reason
    assert found.image.needs_mask is needs_mask


def test_a_required_input_picture_is_seen_without_any_suffix() -> None:
    schema = {"input": {**DIFFUSION["input"], "required": ["prompt", "image"]}}
    assert picture("@cf/a/upscaler", schema).endpoints == {"image_edits"}


def test_a_picture_model_without_a_prompt_makes_no_pictures() -> None:
    found = classify(entry("@cf/a/upscale", "Text-to-Image"), properties(image={"type": "string"}))
    assert found.endpoints == frozenset()
    assert found.refusals["images"] == "it takes no prompt"


def test_multipart_model_is_found_in_a_malformed_schema() -> None:
    recipe = picture("@cf/bfl/flux-2", MULTIPART).image
    assert recipe.transport == "multipart"
    assert (recipe.parameters["width"].minimum, recipe.parameters["width"].maximum) == (256, 1920)
    assert recipe.max_input_images == 4


def test_multipart_model_takes_steps_only_when_it_charges_for_them() -> None:
    price = [usd(0.0004, "per output 512x512 tile, per step")]
    assert picture("@cf/bfl/dev", MULTIPART, price=price).image.steps_field == "steps"
    assert picture("@cf/bfl/klein", MULTIPART).image.steps_field is None


def test_without_a_schema_a_picture_model_is_sent_the_prompt_alone() -> None:
    recipe = picture("@cf/a/new", {}).image
    assert recipe.closed and not recipe.parameters


# --- The other tasks --------------------------------------------------------------------------


def test_embeddings_know_dimensions_batch_and_length() -> None:
    flags = {"output_dimensions": "384", "max_input_tokens": "512"}
    found = classify(entry("@cf/baai/bge", "Text Embeddings", **flags), EMBEDDINGS)
    assert found.endpoints == {"embeddings"}
    assert found.embeddings.dimensions == 384
    assert found.embeddings.max_batch == 100
    assert found.embeddings.max_input_tokens == 512
    assert found.embeddings.poolings == ("mean", "cls")


BYTES = {"audio": {"type": "array", "items": {"type": "number"}}}
WHISPER = {"input": {"oneOf": [{"type": "string", "format": "binary"}, {"properties": BYTES}]}}
TURBO = properties(audio={"type": "string"}, task={"type": "string", "default": "transcribe"})
NOVA = properties(audio={"type": "object", "properties": {"body": {}, "contentType": {}}})
WEBSOCKET = properties(encoding={"type": "string"}, sample_rate={"type": "string"})


@pytest.mark.parametrize(
    ("schema", "sent_as", "endpoints"),
    [
        (WHISPER, "binary", {"transcriptions"}),
        (properties(**BYTES), "binary", {"transcriptions"}),
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
    schema = properties(
        text={"type": "string"},
        speaker={"type": "string", "enum": ["luna", "zeus"], "default": "luna"},
    )
    audio = classify(entry("@cf/deepgram/aura", "Text-to-Speech"), schema).audio
    assert (audio.text_field, audio.voice_field) == ("text", "speaker")
    assert (audio.voices, audio.default_voice) == (("luna", "zeus"), "luna")


def test_speech_model_whose_text_field_is_called_prompt() -> None:
    schema = properties(prompt={"type": "string"}, lang={"type": "string", "default": "en"})
    audio = classify(entry("@cf/myshell/melotts", "Text-to-Speech"), schema).audio
    assert (audio.text_field, audio.voice_field) == ("prompt", None)
    assert set(audio.parameters) == {"lang"}


def test_a_classifier_ranks_only_when_it_takes_query_and_contexts() -> None:
    ranker = properties(query={"type": "string"}, contexts={"type": "array"})
    assert classify(entry("@cf/a/r", "Text Classification"), ranker).endpoints == {"rerank"}
    other = properties(text={"type": "string"})
    assert classify(entry("@cf/a/c", "Text Classification"), other).endpoints == frozenset()


@pytest.mark.parametrize(
    "task",
    [
        "Voice Activity Detection",
        "Image-to-Text",
        "Translation",
        "Object Detection",
        "",
        "New Task",
    ],
)
def test_tasks_that_no_endpoint_runs_are_served_by_none_and_need_no_schema(task: str) -> None:
    listed = entry("@cf/a/b", task)
    assert classify(listed, LEGACY_CHAT).endpoints == frozenset()
    assert not needs_schema(listed)


def test_false_in_words_is_no_capability() -> None:
    found = classify(entry("@cf/a/b", beta="false", partner="true"), {})
    assert "beta" not in found.capabilities
    assert "partner" in found.capabilities


def test_a_model_whose_schema_is_unread_says_so_and_is_served_by_none() -> None:
    found = without_schema(entry("@cf/a/b", context_window="8000"))
    assert found.endpoints == frozenset()
    assert found.refusals["chat"] == "its schema could not be read yet"
    assert found.context_window == 8000


# --- Storing ----------------------------------------------------------------------------------

EVERY_KIND = [
    (entry("@cf/a/chat", reasoning_effort={"supported_efforts": ["low"]}), OPENAI_CHAT),
    (entry("@cf/a/picture", "Text-to-Image"), DIFFUSION),
    (entry("@cf/a/flux-2", "Text-to-Image"), MULTIPART),
    (entry("@cf/a/bge", "Text Embeddings"), EMBEDDINGS),
    (entry("@cf/a/whisper", "Automatic Speech Recognition"), TURBO),
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


# --- Odd data ---------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "oneOf",
        "anyOf",
        "allOf",
        "required",
        "enum",
        "default",
        "items",
        "messages",
        "prompt",
        "image",
        "mask",
        "multipart",
        "audio",
        "text",
        "input",
        "output",
        "string",
        "object",
        "array",
        "integer",
        "binary",
        "format",
        "reasoning",
        "effort",
        "unit",
        "price",
        "property_id",
        "value",
        "name",
        "task",
        "normalizes_to",
    ]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
TASKS = st.sampled_from(
    (
        "Text Generation",
        "Text-to-Image",
        "Text Embeddings",
        "Text Classification",
        "Automatic Speech Recognition",
        "Text-to-Speech",
        "Anything",
    )
)


@settings(max_examples=60)
@given(task=TASKS, schema_input=ODD, output=ODD, values=st.dictionaries(WORDS, ODD, max_size=4))
def test_odd_schemas_and_properties_never_raise(
    task: str, schema_input: Any, output: Any, values: dict[str, Any]
) -> None:
    flags = {"reasoning_effort": values, "vision": values.get("value"), "price": schema_input}
    found = classify(entry("@cf/a/b", task, **flags), {"input": schema_input, "output": output})
    assert found.endpoints <= ENDPOINTS
    json.dumps(classification_to_json(found), allow_nan=False)


@settings(max_examples=40)
@given(odd=st.dictionaries(WORDS, ODD))
def test_odd_entries_never_raise(odd: dict[str, Any]) -> None:
    classify(odd, {})
    needs_schema(odd)
    without_schema(odd)


def test_a_schema_nested_without_end_is_read_to_a_bound() -> None:
    node: Json = {"properties": {"messages": {}}}
    for _ in range(200):
        node = {"oneOf": [node, node]}
    assert classify(entry("@cf/a/b"), {"input": node}).endpoints <= ENDPOINTS
