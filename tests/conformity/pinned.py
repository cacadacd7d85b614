"""A document with the models pinned that each operation is tried with: by a made-up name all would
end as 404.
"""

from typing import Any

CHATTING = ["@cf/openai/gpt-oss-120b", "@cf/meta/llama-4-scout-17b-16e-instruct"]
MODELS = {
    "/chat/completions": CHATTING,
    "/responses": CHATTING,
    "/responses/input_tokens": CHATTING,
    "/messages": CHATTING,
    "/messages/count_tokens": CHATTING,
    "/completions": CHATTING,
    "/images/generations": ["@cf/black-forest-labs/flux-1-schnell"],
    "/images/edits": ["@cf/runwayml/stable-diffusion-v1-5-img2img"],
    "/embeddings": ["@cf/baai/bge-m3"],
    "/moderations": ["omni-moderation-latest"],
    "/decisions": ["@cf/cloudflare/clef-flash"],
    "/rerank": ["@cf/baai/bge-reranker-base"],
    "/audio/transcriptions": ["@cf/openai/whisper-large-v3-turbo"],
    "/audio/translations": ["@cf/openai/whisper-large-v3-turbo"],
    "/audio/speech": ["@cf/deepgram/aura-1"],
}


# Longer lists take megabytes, and seconds, to be made.
LONGEST_LIST = 100


def pinned(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, changed in place: `model` is one of the pinned ones, and lists have no
    bound that is far off."""
    for path, item in document["paths"].items():
        models = MODELS.get(path.removeprefix("/v1").removeprefix("/v2"))
        content = item.get("post", {}).get("requestBody", {}).get("content", {})
        for body in content.values():
            fields = body["schema"].get("properties", {})
            if models is not None and "model" in fields:
                may_be_null = "null" in fields["model"].get("type", ())
                fields["model"] = {"enum": [*models, *([None] if may_be_null else [])]}
        for parameter in item.get("get", {}).get("parameters", ()):
            if parameter["name"] == "model_id":
                parameter["schema"] = {"enum": CHATTING}
    _without_far_bounds(document)
    return document


def _without_far_bounds(value: Any) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("maxItems"), int) and value["maxItems"] > LONGEST_LIST:
            del value["maxItems"]
        for inner in value.values():
            _without_far_bounds(inner)
    elif isinstance(value, list):
        for inner in value:
            _without_far_bounds(inner)
