"""`GET /v1/audio/voices` and `/v1/audio/models`: what chat apps fill their pickers with.

They ask without a key. Then every speech model of the catalog is listed by Cloudflare's own public
name; with a key, those that the key may use, and aliases.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from django.http.response import HttpResponseBase

from catalog import resolve
from catalog.resolve import Allows, Listed
from catalog.snapshot import current
from keys.access.key_record import KeyRecord
from openai_api.base import METHODS, GatewayView
from openai_api.speech.voices import LANGUAGES, NEAREST
from openai_api.wire.http_response import WholeResponse


def speech_models(allows: Allows) -> list[Listed]:
    return resolve.listing(served=("speech",), allows=allows)


def models_body(models: Iterable[Listed]) -> bytes:
    """The models, under the names that OpenAI and Open WebUI give the list."""
    entries = [{"id": model.id, "name": model.id.rsplit("/", 1)[-1]} for model in models]
    return orjson.dumps({"object": "list", "models": entries, "data": entries})


def voices_body(models: Iterable[Listed]) -> bytes:
    """OpenAI's voices, which every model takes, then the models' own."""
    names: dict[str, None] = {}
    for model in models:
        audio = model.record.audio
        names |= dict.fromkeys(NEAREST)
        if audio is not None:
            names |= dict.fromkeys(audio.voices)
            if audio.voice_field is None and "lang" in audio.parameters:
                names |= dict.fromkeys(LANGUAGES)
    return orjson.dumps({"voices": [{"id": name, "name": name} for name in names]})


@lru_cache(maxsize=2)
def _for_everybody(is_voices: bool, version: tuple[int, float]) -> bytes:
    models = [model for model in speech_models(lambda name: True) if not model.is_alias]
    return voices_body(models) if is_voices else models_body(models)


class _ListView(GatewayView):
    lists_voices = False

    async def dispatch(  # type: ignore[override]
        self, request: Any, **kwargs: Any
    ) -> HttpResponseBase:
        has_key = b"authorization" in request.raw_headers or b"x-api-key" in request.raw_headers
        if has_key or METHODS.get(request.method) != "get":
            return await super().dispatch(request, **kwargs)
        snapshot = current()
        version = (snapshot.revision, snapshot.loaded_at)
        return WholeResponse(_for_everybody(self.lists_voices, version))

    async def get(self, request: Any, key: KeyRecord) -> HttpResponseBase:
        models = speech_models(key.allows_model) if key.allows_endpoint("speech") else []
        return WholeResponse(voices_body(models) if self.lists_voices else models_body(models))


class SpeechVoicesView(_ListView):
    lists_voices = True


class SpeechModelsView(_ListView):
    """The models that read aloud."""
