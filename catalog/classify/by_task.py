"""Model list entry + schema → which endpoints can run the model, and how. Pure; never raises.

The schema decides. Where it cannot, the entry's properties do, and a name's suffix only for the two
kinds of picture models whose schemas look like any other (`-img2img`, `-inpainting`). Without a
schema (a few models publish an empty one) the task decides, with the most careful assumptions.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from catalog.classify.facts import (
    CHAT,
    AudioFacts,
    ChatFacts,
    Classification,
    EmbeddingFacts,
    ImageRecipe,
    Parameter,
    ReasoningEffort,
)
from catalog.classify.schema_fields import parameters_of, word_of, words_of
from catalog.classify.schema_shapes import (
    Shape,
    alternatives,
    mentions_property,
    shapes,
    takes_array,
)
from catalog.entry import (
    Entry,
    context_window_of,
    created_at_of,
    is_true,
    name_of,
    properties_of,
    task_of,
    whole_number,
)

Schema = Mapping[str, Any]

SCHEMA_UNREAD = "its schema could not be read yet"


def classify(entry: Entry, schema: Schema) -> Classification:
    """What the model can be used for; served by nothing when neither schema nor task tells."""
    by_task = _BY_TASK.get(_normal(task_of(entry)))
    properties = properties_of(entry)
    found = by_task(entry, properties, schema) if by_task else _unserved(entry)
    return replace(
        found,
        context_window=context_window_of(entry),
        capabilities=found.capabilities | _common_capabilities(properties),
    )


def without_schema(entry: Entry) -> Classification:
    """A new model whose schema could not be read: known, and served by nothing until it is."""
    reasons = dict.fromkeys(_NEARLY.get(_normal(task_of(entry)), ()), SCHEMA_UNREAD)
    return replace(classify({**entry, "task": None}, {}), refusals=reasons)


def needs_schema(entry: Entry) -> bool:
    """Whether the schema decides anything: no endpoint runs tasks such as Object Detection."""
    return _normal(task_of(entry)) in _BY_TASK


# --- Pictures ---------------------------------------------------------------------------------


def _text_to_image(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    multipart = any("multipart" in form.properties for form in forms)
    with_prompt = next((form for form in forms if "prompt" in form.properties), None)
    if multipart:
        recipe = _multipart_recipe(properties)
    elif with_prompt:
        recipe = _json_recipe(entry, with_prompt)
    elif forms:
        reason = "it takes no prompt"
        return Classification(refusals={"images": reason, "image_edits": reason})
    else:
        recipe = _unknown_recipe(entry)
    return _with_image_endpoints(recipe)


def _with_image_endpoints(recipe: ImageRecipe) -> Classification:
    endpoints = set()
    refusals = {}
    if recipe.needs_mask:
        refusals["images"] = "it needs an input image and a mask (inpainting)"
    elif recipe.needs_image:
        refusals["images"] = "it needs an input image (image to image)"
    else:
        endpoints.add("images")
    if recipe.takes_image:
        endpoints.add("image_edits")
    else:
        refusals["image_edits"] = "it makes pictures from a prompt alone"
    return Classification(endpoints=frozenset(endpoints), refusals=refusals, image=recipe)


def _json_recipe(entry: Entry, form: Shape) -> ImageRecipe:
    img2img, inpainting = _suffixes(entry)
    image_fields = tuple(f for f in ("image_b64", "image") if f in form.properties)
    needs_mask = inpainting or "mask" in form.required
    needs_image = img2img or needs_mask or any(f in form.required for f in image_fields)
    parameters = parameters_of(form)
    prompt = form.properties["prompt"]
    return ImageRecipe(
        parameters={k: v for k, v in parameters.items() if k not in ("prompt", *image_fields)},
        steps_field=next((f for f in ("num_steps", "steps") if f in parameters), None),
        prompt_min_length=whole_number(prompt.get("minLength")),
        prompt_max_length=whole_number(prompt.get("maxLength")),
        takes_image=bool(image_fields) or needs_image,
        needs_image=needs_image,
        takes_mask="mask" in form.properties,
        needs_mask=needs_mask,
        image_fields=image_fields,
        max_input_images=1 if image_fields or needs_image else 0,
        closed=form.closed,
    )


def _multipart_recipe(properties: Mapping[str, Any]) -> ImageRecipe:
    """The schema says only that a form is sent; the fields are the vendor's pages' (2026-09)."""
    side = Parameter("integer", minimum=256, maximum=1920)
    parameters = {
        "width": replace(side, default=1024),
        "height": replace(side, default=768),
        "guidance": Parameter("number"),
        "seed": Parameter("integer", minimum=0),
    }
    # Only a model that charges for steps lets the caller choose them; the others are distilled to
    # four and may reject the field.
    charges_steps = _mentions_step(properties.get("price"))
    if charges_steps:
        parameters["steps"] = Parameter("integer", minimum=1, maximum=50, default=25)
    return ImageRecipe(
        transport="multipart",
        parameters=parameters,
        steps_field="steps" if charges_steps else None,
        prompt_min_length=1,
        takes_image=True,
        image_fields=tuple(f"input_image_{number}" for number in range(4)),
        max_input_images=4,
        closed=True,
    )


def _unknown_recipe(entry: Entry) -> ImageRecipe:
    """No schema: a prompt and nothing else, because fields a model does not know can be refused."""
    img2img, inpainting = _suffixes(entry)
    needs_image = img2img or inpainting
    return ImageRecipe(
        takes_image=needs_image,
        needs_image=needs_image,
        takes_mask=inpainting,
        needs_mask=inpainting,
        image_fields=("image",) if needs_image else (),
        max_input_images=1 if needs_image else 0,
        closed=True,
    )


def _suffixes(entry: Entry) -> tuple[bool, bool]:
    name = name_of(entry).lower()
    return name.endswith("-img2img"), name.endswith("-inpainting")


def _mentions_step(prices: object) -> bool:
    return isinstance(prices, list) and any(
        isinstance(price, Mapping) and "step" in str(price.get("unit")).lower() for price in prices
    )


# --- Chat -------------------------------------------------------------------------------------


def _text_generation(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    if _is_guard(entry, forms, schema):
        return Classification(
            endpoints=frozenset({"moderations"}),
            refusals=dict.fromkeys(CHAT, "it judges texts and does not answer them"),
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
    """The entry's own object; else what the schema's Responses form lists (gpt-oss)."""
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


# --- Texts to numbers, speech, and the rest ---------------------------------------------------


def _text_embeddings(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    form = next((form for form in forms if "text" in form.properties), None)
    if forms and not form:
        return Classification(refusals={"embeddings": "it takes no text"})
    text = form.properties["text"] if form else {}
    pooling = form.properties.get("pooling", {}) if form else {}
    batches = (whole_number(node.get("maxItems")) for node in alternatives(text))
    return Classification(
        endpoints=frozenset({"embeddings"}),
        embeddings=EmbeddingFacts(
            dimensions=whole_number(properties.get("output_dimensions")),
            max_batch=next((size for size in batches if size), None),
            max_input_tokens=whole_number(properties.get("max_input_tokens"))
            or whole_number(properties.get("context_window")),
            poolings=words_of(pooling.get("enum")),
        ),
    )


def _text_classification(
    entry: Entry, properties: Mapping[str, Any], schema: Schema
) -> Classification:
    forms = shapes(schema.get("input"))
    ranks = any({"query", "contexts"} <= set(form.properties) for form in forms)
    if ranks or (not forms and "rerank" in name_of(entry).lower()):
        return Classification(endpoints=frozenset({"rerank"}))
    return Classification(refusals={"rerank": "it takes no query and documents"})


def _speech_recognition(
    entry: Entry, properties: Mapping[str, Any], schema: Schema
) -> Classification:
    forms = shapes(schema.get("input"))
    form = next((form for form in forms if "audio" in form.properties), None)
    sent_as = _audio_sent_as(forms, form)
    if not forms and not is_true(properties.get("realtime")):
        sent_as = "binary"
    if sent_as is None:
        reason = "it works over WebSocket only"
        return Classification(refusals={"transcriptions": reason, "translations": reason})
    parameters = parameters_of(form) if form else {}
    facts = AudioFacts(
        sent_as=sent_as, parameters={k: v for k, v in parameters.items() if k != "audio"}
    )
    if form and "task" in form.properties:
        return Classification(endpoints=frozenset({"transcriptions", "translations"}), audio=facts)
    return Classification(
        endpoints=frozenset({"transcriptions"}),
        refusals={"translations": "it transcribes but does not translate"},
        audio=facts,
    )


def _audio_sent_as(forms: Iterable[Shape], form: Shape | None) -> str | None:
    if any(shape.is_binary for shape in forms):
        return "binary"
    for audio in alternatives(form.properties["audio"]) if form else ():
        if audio.get("type") == "array":
            return "binary"
        if audio.get("type") == "string":
            return "json_base64"
        if isinstance(audio.get("properties"), Mapping):
            return "stream_object"
    return None


def _text_to_speech(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
    forms = shapes(schema.get("input"))
    form, text_field = next(
        ((form, name) for form in forms for name in ("text", "prompt") if name in form.properties),
        (None, None if forms else "text"),
    )
    if text_field is None:
        return Classification(refusals={"speech": "it takes no text"})
    parameters = parameters_of(form) if form else {}
    voice = parameters.get("speaker") or parameters.get("voice")
    return Classification(
        endpoints=frozenset({"speech"}),
        audio=AudioFacts(
            text_field=text_field,
            voice_field=next((name for name in ("speaker", "voice") if name in parameters), None),
            voices=voice.choices if voice else (),
            default_voice=word_of(voice.default) if voice else None,
            parameters={k: v for k, v in parameters.items() if k != text_field},
        ),
    )


def _unserved(entry: Entry) -> Classification:
    return Classification()


ByTask = Callable[[Entry, Mapping[str, Any], Schema], Classification]

_BY_TASK: dict[str, ByTask] = {
    "text generation": _text_generation,
    "image text to text": _text_generation,
    "text to image": _text_to_image,
    "text embeddings": _text_embeddings,
    "text classification": _text_classification,
    "automatic speech recognition": _speech_recognition,
    "text to speech": _text_to_speech,
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
