"""The endpoints that this gateway serves: one line each, with their names in other places.

A new endpoint is a copied folder, a line in `urls.py` and a line here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServedEndpoint:
    """`protocol` filters `/v1/models`; `type_name` is what its `supported_endpoint_types` says."""

    name: str
    path: str
    protocol: str
    type_name: str


SERVED: dict[str, ServedEndpoint] = {
    endpoint.name: endpoint
    for endpoint in (
        ServedEndpoint("chat", "/v1/chat/completions", "openai-chat", "openai"),
        ServedEndpoint("responses", "/v1/responses", "openai-responses", "openai-response"),
        ServedEndpoint("messages", "/v1/messages", "anthropic-messages", "anthropic"),
        ServedEndpoint("images", "/v1/images/generations", "openai-images", "image-generation"),
        ServedEndpoint("image_edits", "/v1/images/edits", "openai-image-edits", "image-edit"),
        ServedEndpoint("completions", "/v1/completions", "openai-completions", "completions"),
        ServedEndpoint("embeddings", "/v1/embeddings", "openai-embeddings", "embeddings"),
        ServedEndpoint("moderations", "/v1/moderations", "openai-moderations", "moderations"),
        ServedEndpoint("decisions", "/v1/decisions", "openai-decisions", "decisions"),
        ServedEndpoint("rerank", "/v1/rerank", "openai-rerank", "jina-rerank"),
        ServedEndpoint(
            "transcriptions",
            "/v1/audio/transcriptions",
            "openai-transcriptions",
            "audio-transcription",
        ),
        ServedEndpoint(
            "translations", "/v1/audio/translations", "openai-translations", "audio-translation"
        ),
        ServedEndpoint("speech", "/v1/audio/speech", "openai-speech", "audio-speech"),
    )
}
PROTOCOLS = {endpoint.protocol: endpoint.name for endpoint in SERVED.values()}
