"""Chat models: their dialect, what they take besides text, and the fields that clients may send.
Pure; also tells models that judge texts (guards) and those that take a bare prompt only.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from catalog.classify.facts import (
    CHAT,
    ChatFacts,
    Classification,
    DecisionFacts,
    ReasoningEffort,
)
from catalog.classify.schema_fields import parameters_of, word_of, words_of
from catalog.classify.schema_shapes import (
    Schema,
    Shape,
    alternatives,
    mentions_property,
    shapes,
    takes_array,
)
from catalog.entry import Entry, created_at_of, is_true, name_of, whole_number


def text_generation(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    if _is_guard(entry, forms, schema):
        return Classification(
            endpoints=frozenset({"moderations"}),
            refusals=dict.fromkeys(CHAT, "it judges texts and does not answer them"),
        )
    asked = {"state", "questions"}
    questions = next((form for form in forms if asked <= form.properties.keys()), None)
    if questions is not None:
        return Classification(
            endpoints=frozenset({"decisions"}),
            refusals=dict.fromkeys(CHAT, "it answers typed questions, with probabilities"),
            decisions=_decision_facts(questions),
        )
    chat_form = next((form for form in forms if "messages" in form.properties), None)
    prompt_form = next((form for form in forms if "prompt" in form.properties), None)
    if forms and not chat_form:
        endpoints = frozenset({"completions"}) if prompt_form else frozenset()
        return Classification(
            endpoints=endpoints,
            refusals=dict.fromkeys(CHAT - endpoints, "it takes no messages"),
            chat=_chat_facts(entry, properties, forms, prompt_form) if prompt_form else None,
        )
    if not forms and _has_no_output_price(properties):
        return Classification(
            refusals=dict.fromkeys(CHAT, "it has no schema, and its prices are not a chat model's")
        )
    facts = _chat_facts(entry, properties, forms, chat_form)
    return Classification(endpoints=CHAT, chat=facts, capabilities=_chat_capabilities(facts))


def _decision_facts(form: Shape) -> DecisionFacts:
    usual = DecisionFacts()
    questions = whole_number(_of(form, "questions").get("maxProperties"))
    images = whole_number(_of(form, "images").get("maxItems"))
    return DecisionFacts(
        most_questions=questions or usual.most_questions,
        most_images=images or usual.most_images,
    )


def _of(form: Shape, name: str) -> Mapping[str, Any]:
    found = form.properties.get(name)
    return found if isinstance(found, Mapping) else {}


def _is_guard(entry: Entry, forms: Collection[Shape], schema: Schema) -> bool:
    if not forms:
        return "llama-guard" in name_of(entry).lower()
    output = schema.get("output")
    return mentions_property(output, "safe") and mentions_property(output, "categories")


def _has_no_output_price(properties: Mapping[str, Any]) -> bool:
    """True of models that answer questions about a state with scores: they charge input only."""
    prices = properties.get("price")
    units = [
        str(price.get("unit")).lower()
        for price in (prices if isinstance(prices, list) else [])
        if isinstance(price, Mapping)
    ]
    return any("input token" in unit for unit in units) and not any(
        "output token" in unit for unit in units
    )


def _chat_facts(
    entry: Entry,
    properties: Mapping[str, Any],
    forms: Collection[Shape],
    form: Shape | None,
) -> ChatFacts:
    dialect = _dialect(entry, properties, forms)
    messages = form.properties.get("messages") if form else None
    image_input = _image_input(dialect, properties, form, messages)
    parameters = parameters_of(form) if form else {}
    limit = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    reasoning_effort = _reasoning_effort(properties, forms)
    known = set(form.properties) if form else set()
    facts = ChatFacts(
        dialect=dialect,
        schema_known=form is not None,
        takes_content_parts=image_input == "parts" or _takes_content_array(messages),
        vision=image_input is not None,
        image_input=image_input,
        tools=is_true(properties.get("function_calling")) and (not known or "tools" in known),
        reasoning=is_true(properties.get("reasoning")) or reasoning_effort is not None,
        reasoning_effort=reasoning_effort,
        json_mode="response_format" in known if known else dialect == "openai",
        guided_json="guided_json" in known,
        lora=is_true(properties.get("lora")),
        default_max_tokens=limit.whole_default if limit else None,
        max_output_tokens=limit.whole_maximum if limit else None,
        parameters=parameters,
    )
    return replace(facts, supported_parameters=_supported_parameters(facts, known))


def _dialect(entry: Entry, properties: Mapping[str, Any], forms: Collection[Shape]) -> str:
    if forms:
        is_openai = any(
            {"stream_options", "max_completion_tokens"} & set(form.properties)
            # The Responses form beside a legacy one: the model speaks OpenAI's formats natively.
            or {"input", "reasoning"} <= set(form.properties)
            for form in forms
        )
        return "openai" if is_openai else "legacy"
    created_at = created_at_of(entry)
    hints = (
        isinstance(properties.get("reasoning_effort"), Mapping),
        is_true(properties.get("require_workers_paid")),
        # Every chat model added since 2026 publishes the OpenAI-format schema.
        created_at is not None and created_at.year >= 2026,
    )
    return "openai" if any(hints) else "legacy"


def _image_input(
    dialect: str,
    properties: Mapping[str, Any],
    form: Shape | None,
    messages: object,
) -> str | None:
    if is_true(properties.get("vision")):
        return "parts"
    # The OpenAI-format schema lists picture parts for every model, so there it proves nothing.
    if dialect == "openai" or form is None:
        return None
    if mentions_property(messages, "image_url"):
        return "parts"
    return "top_level" if "image" in form.properties else None


def _takes_content_array(messages: object) -> bool:
    for node in alternatives(messages):
        for item in alternatives(node.get("items")):
            own = item.get("properties")
            if isinstance(own, Mapping) and takes_array(own.get("content")):
                return True
    return False


def _reasoning_effort(
    properties: Mapping[str, Any], forms: Collection[Shape]
) -> ReasoningEffort | None:
    """From the entry's own object, else from the schema's Responses form (gpt-oss)."""
    told = properties.get("reasoning_effort")
    if isinstance(told, Mapping):
        normal = told.get("normalizes_to")
        return ReasoningEffort(
            supported=words_of(told.get("supported_efforts")),
            default=word_of(told.get("default_effort")),
            default_enabled=is_true(told["default_enabled"]) if "default_enabled" in told else None,
            mandatory=is_true(told.get("mandatory")),
            normalizes_to={
                str(word): target
                for word, target in (normal.items() if isinstance(normal, Mapping) else ())
                if isinstance(target, str)
            },
        )
    for form in forms:
        if "input" in form.properties and "reasoning" in form.properties:
            for inner in shapes(form.properties["reasoning"]):
                effort = inner.properties.get("effort", {})
                supported = words_of(effort.get("enum"))
                if supported:
                    return ReasoningEffort(
                        supported=supported,
                        default=word_of(effort.get("default")),
                        mandatory="none" not in supported,
                    )
    return None


# OpenRouter's word → the schema's fields any of which means it.
_PARAMETER_WORDS = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "min_p": ("min_p",),
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
    "repetition_penalty": ("repetition_penalty",),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "seed": ("seed",),
    "stop": ("stop",),
    "logit_bias": ("logit_bias",),
    "logprobs": ("logprobs",),
    "top_logprobs": ("top_logprobs",),
    "response_format": ("response_format",),
    "structured_outputs": ("response_format", "guided_json"),
    "parallel_tool_calls": ("parallel_tool_calls",),
}
_SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "seed")
_PARAMETERS_WITHOUT_SCHEMA = {
    "legacy": {*_SAMPLING, "top_k", "repetition_penalty"},
    "openai": {*_SAMPLING, "stop", "response_format", "structured_outputs"},
}


def _supported_parameters(facts: ChatFacts, known: Collection[str]) -> tuple[str, ...]:
    if known:
        words = {
            word
            for word, listed in _PARAMETER_WORDS.items()
            if any(name in known for name in listed)
        }
    else:
        words = set(_PARAMETERS_WITHOUT_SCHEMA[facts.dialect])
    if facts.tools:
        words |= {"tools", "tool_choice"}
    else:
        words.discard("parallel_tool_calls")
    if facts.reasoning:
        words |= {"reasoning", "include_reasoning"}
    if facts.reasoning_effort:
        words.add("reasoning_effort")
    return tuple(sorted(words))


def _chat_capabilities(facts: ChatFacts) -> frozenset[str]:
    told = {
        "vision": facts.vision,
        "tools": facts.tools,
        "reasoning": facts.reasoning,
        "json_mode": facts.json_mode,
    }
    return frozenset(word for word, has in told.items() if has)
