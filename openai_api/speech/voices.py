"""OpenAI's voices → the model's. Pure. Raises BadRequest for a voice that neither has."""

from catalog.classify.facts import AudioFacts
from openai_api.wire.fields import wrong_value

# For each of OpenAI's voices the nearest ones, by listeners' descriptions of pitch and manner. The
# first that the model has is used, or else the model's default.
NEAREST = {
    "alloy": ("asteria", "celeste"),
    "ash": ("arcas", "javier"),
    "ballad": ("orpheus", "alvaro"),
    "cedar": ("angus", "atlas", "javier"),
    "coral": ("hera", "diana"),
    "echo": ("orion", "nestor"),
    "fable": ("helios", "draco", "alvaro"),
    "marin": ("stella", "aurora", "carina"),
    "nova": ("stella", "thalia", "carina"),
    "onyx": ("zeus", "sirio"),
    "sage": ("athena", "selena"),
    "shimmer": ("luna", "estrella"),
    "verse": ("perseus", "apollo", "nestor"),
}
# MeloTTS has no voices, but a language, in its field `lang`.
LANGUAGES = ("en", "es", "fr", "jp", "kr", "zh")
_OTHER_CODES = {"ja": "jp", "ko": "kr"}


def voice_fields(voice: str | None, audio: AudioFacts, *, model: str) -> dict[str, str]:
    """The field of the model that chooses the voice; empty where its default is meant."""
    if voice is None:
        return {}
    named = voice.strip().lower()
    if audio.voice_field is not None:
        found = _speaker(named, audio)
        if found is None:
            voices = ", ".join(f"'{name}'" for name in audio.voices)
            raise wrong_value("voice", f"{voices} for `{model}`, or one of OpenAI's voices", voice)
        return {audio.voice_field: found} if found else {}
    if named in NEAREST:
        return {}
    language = _OTHER_CODES.get(named, named)
    if "lang" in audio.parameters and language in LANGUAGES:
        return {"lang": language}
    takes = "one of OpenAI's voices, which all sound alike here"
    if "lang" in audio.parameters:
        takes += ", or a language to speak: " + ", ".join(f"'{code}'" for code in LANGUAGES)
    raise wrong_value("voice", f"{takes}, for `{model}`", voice)


def _speaker(named: str, audio: AudioFacts) -> str | None:
    """The model's name of the voice; empty for its default, None for a voice that it lacks."""
    if named in audio.voices:
        return named
    if named in NEAREST:
        nearest = (name for name in NEAREST[named] if name in audio.voices)
        return next(nearest, audio.default_voice or "")
    # A model that lists no voices may still take some.
    return None if audio.voices else named
