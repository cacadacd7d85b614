import json
from typing import Any

import pytest

from catalog.classify.by_task import classify
from catalog.classify.facts import (
    CHAT,
    DecisionFacts,
)
from tests.catalog.entries import (
    GUARD,
    LEGACY_CHAT,
    OPENAI_CHAT,
    TOKEN_PRICE,
    Json,
    entry,
    input_of,
    usd,
)


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
    temperature = chat(input_of(**fields)).parameters["temperature"]
    assert (temperature.kind, temperature.minimum, temperature.maximum) == ("number", 0, 2)


def test_a_field_of_several_kinds_is_no_plain_one() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "array"}]}
    assert "stop" not in chat(input_of(messages={}, stop=either)).parameters


def test_without_a_schema_an_old_chat_model_is_legacy_and_a_frontier_one_openai() -> None:
    assert chat({}).dialect == "legacy"
    assert chat({}, require_workers_paid="true").dialect == "openai"
    assert chat({"input": {}, "output": {}}).schema_known is False


def test_a_text_generation_model_without_messages_is_no_chat_model() -> None:
    found = classify(entry("@cf/acme/odd"), input_of(riddle={}))
    assert found.endpoints == frozenset()
    assert found.refusals["chat"] == "it takes no messages"


def test_a_model_of_typed_questions_makes_decisions() -> None:
    schema = input_of(state={}, questions={"maxProperties": 64}, images={"maxItems": 4})
    found = classify(entry("@cf/cloudflare/clef"), schema)
    assert found.endpoints == {"decisions"}
    assert "chat" in found.refusals
    assert found.decisions == DecisionFacts(most_questions=64, most_images=4)


def test_a_model_of_prompts_alone_serves_completions() -> None:
    found = classify(entry("@cf/a/base"), input_of(prompt={"type": "string"}))
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
