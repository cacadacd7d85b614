"""What can be asked at `/v1`, one entry for each path and method. Pure.

The paths of endpoints come from `served.py`, the fields of bodies from their readers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keys.reports.key_history import BY
from openai_api.chat_completions.request.chat_request import Fields as Chat
from openai_api.chat_completions.request.chat_request import Settings as ChatSettings
from openai_api.completions.request import SHARED as COMPLETION_FIELDS
from openai_api.completions.request import Fields as Completion
from openai_api.decisions.request import Fields as Decision
from openai_api.description.shapes import NAME, Schema, either, one_of
from openai_api.embeddings.request import Fields as Embedding
from openai_api.image_edits.request import Fields as ImageEdit
from openai_api.image_edits.request import JsonFields as JsonImageEdit
from openai_api.images.request import Fields as Image
from openai_api.messages.request.messages_request import Fields as Message
from openai_api.model_list.view import MOST_IN_A_PAGE
from openai_api.moderations.request import Fields as Moderation
from openai_api.rerank.request import Fields as Ranking
from openai_api.responses.request.responses_request import Fields as Response
from openai_api.responses.request.responses_request import settings_fields
from openai_api.served import PROTOCOLS, SERVED
from openai_api.speech.request import Fields as Speech
from openai_api.transcriptions.normalise import CONTENT_TYPES as TRANSCRIPT_TYPES
from openai_api.transcriptions.request import Fields as Transcription
from openai_api.wire.declared import Field, declared
from workers_ai.audio_file import MEDIA_TYPES as SOUND_TYPES

BYTES: Schema = {"type": "string", "format": "binary"}
_SOUNDS = dict.fromkeys(sorted({*SOUND_TYPES.values(), "audio/pcm"}), BYTES)
_TEXTS = {kind.partition(";")[0]: {"type": "string"} for kind in TRANSCRIPT_TYPES.values()}


@dataclass(frozen=True, slots=True)
class Operation:
    """`answer`: the schema of the whole answer; `event` that of a stream's; `others`: further media
    types of answers. `query`: parameters with their schemas. `as_json`: the fields of a body in
    JSON, where that is taken beside a form.
    """

    id: str
    summary: str
    answer: str
    path: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    is_form: bool = False
    as_json: Mapping[str, Field] = field(default_factory=dict)
    event: str = ""
    others: Mapping[str, Schema] = field(default_factory=dict)
    query: Mapping[str, Schema] = field(default_factory=dict)
    needs_key: bool = True
    anthropic: bool = False

    @property
    def method(self) -> str:
        return "post" if self.fields else "get"


_CHAT = {**declared(Chat), **declared(ChatSettings)}
_COMPLETION = {
    **{name: field for name, field in _CHAT.items() if name in COMPLETION_FIELDS},
    **declared(Completion),
}
_RESPONSE = {**declared(Response), **settings_fields()}
_PROMPT_ONLY = {name: field for name, field in declared(Message).items() if name != "max_tokens"}
_TRANSCRIPT_TYPES = {k: v for k, v in _TEXTS.items() if k != "application/json"}


def _served(name: str, summary: str, answer: str, fields: Any, **more: Any) -> Operation:
    given = fields if isinstance(fields, dict) else declared(fields)
    return Operation(name, summary, answer, SERVED[name].path, given, **more)


# An empty parameter counts as not given.
_DAY = either({"type": "string", "format": "date"}, one_of([""]))
_TEXT: Schema = {"type": "string"}
OPERATIONS = (
    _served("chat", "A chat.", "ChatCompletion", _CHAT, event="ChatEvent"),
    _served(
        "responses", "A response of OpenAI's Responses.", "Response", _RESPONSE,
        event="ResponseEvent",
    ),
    Operation(
        "count_response_tokens", "The tokens of a response's input, estimated.", "InputTokens",
        "/v1/responses/input_tokens", _RESPONSE,
    ),
    _served(
        "messages", "A message of Anthropic's Messages.", "Message", Message,
        event="MessageEvent", anthropic=True,
    ),
    Operation(
        "count_message_tokens", "The tokens of a message's input, estimated.", "TokenCount",
        "/v1/messages/count_tokens", _PROMPT_ONLY, anthropic=True,
    ),
    _served("images", "Pictures of a text.", "Images", Image),
    _served(
        "image_edits", "Pictures made of pictures.", "Images", ImageEdit, is_form=True,
        as_json=declared(JsonImageEdit),
    ),
    _served(
        "completions", "A text that goes on, by a chat model.", "TextCompletion", _COMPLETION,
        event="TextCompletionEvent",
    ),
    _served("embeddings", "Vectors of texts.", "EmbeddingList", Embedding),
    _served("moderations", "Whether texts are harmful.", "Moderation", Moderation),
    _served("decisions", "Typed questions about an input.", "Decisions", Decision),
    _served("rerank", "Documents in the order of a query.", "Ranking", Ranking),
    Operation(
        "cohere_rerank", "The same at Cohere's present path.", "Ranking", "/v2/rerank",
        declared(Ranking),
    ),
    _served(
        "transcriptions", "What a recording says.", "Transcript", Transcription, is_form=True,
        event="TranscriptEvent", others=_TRANSCRIPT_TYPES,
    ),
    _served(
        "translations", "What a recording says, in English.", "Transcript", Transcription,
        is_form=True, event="TranscriptEvent", others=_TRANSCRIPT_TYPES,
    ),
    _served("speech", "A text read aloud.", "", Speech, event="SpeechEvent", others=_SOUNDS),
    Operation(
        "list_models", "The models that the key may use.", "ModelList", "/v1/models",
        query={
            "protocol": one_of(sorted(PROTOCOLS)),
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST_IN_A_PAGE},
            "after_id": NAME,
            "before_id": NAME,
        },
    ),
    Operation("read_model", "One model.", "Model", "/v1/models/{model_id}"),
    Operation(
        "read_key", "What the key's holder may know of it.", "Key", "/v1/key",
        query={"user": _TEXT, "session": _TEXT},
    ),
    Operation(
        "read_key_usage", "What the key used. Days are UTC.", "KeyUsage", "/v1/key/usage",
        query={"since": _DAY, "until": _DAY, "by": one_of([*BY, ""])},
    ),
    Operation(
        "list_voices", "Voices for speech.", "VoiceList", "/v1/audio/voices", needs_key=False
    ),
    Operation(
        "list_speech_models", "Models for speech.", "SpeechModelList", "/v1/audio/models",
        needs_key=False,
    ),
    Operation(
        "read_openapi", "This document.", "Document", "/v1/openapi.json", needs_key=False
    ),
)  # fmt: skip
