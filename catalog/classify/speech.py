"""Speech to text and text to speech: in which form sound and text are sent. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from catalog.classify.facts import AudioFacts, Classification
from catalog.classify.schema_fields import parameters_of, word_of
from catalog.classify.schema_shapes import Schema, Shape, alternatives, shapes
from catalog.entry import Entry, is_true


def speech_recognition(
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


def text_to_speech(entry: Entry, properties: Mapping[str, Any], schema: Schema) -> Classification:
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
