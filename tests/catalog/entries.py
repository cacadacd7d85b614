"""Catalog entries and schemas as Cloudflare shapes them, and an upstream that lists them."""

import copy
from typing import Any

Json = dict[str, Any]

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
FLUX = "@cf/black-forest-labs/flux-1-schnell"
BGE = "@cf/baai/bge-small-en-v1.5"


def entry(name: str, task: str = "Text Generation", price: Any = None, **properties: Any) -> Json:
    listed = [{"property_id": key, "value": value} for key, value in properties.items()]
    if price is not None:
        listed.append({"property_id": "price", "value": price})
    return {
        "id": "0b1f0b6e-0000-4000-8000-000000000000",
        "source": 1,
        "name": name,
        "description": f"What {name} does",
        "task": {"id": "t", "name": task, "description": ""},
        "created_at": "2025-03-04 05:06:07.890",
        "tags": [],
        "properties": listed,
    }


def input_of(**fields: Json) -> Json:
    """A schema whose input is one object with these fields."""
    return {"input": {"type": "object", "properties": fields}}


def usd(price: Any, unit: str) -> Json:
    return {"unit": unit, "price": price, "currency": "USD"}


TOKEN_PRICE = [usd(0.29, "per M input tokens"), usd(2.25, "per M output tokens")]

_SAMPLING: Json = {
    "stream": {"type": "boolean", "default": False},
    "max_tokens": {"type": "integer", "default": 256},
    "temperature": {"type": "number", "default": 0.6, "minimum": 0, "maximum": 5},
    "top_k": {"type": "integer", "minimum": 1, "maximum": 50},
}
_MESSAGES: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"role": {"type": "string"}, "content": {"type": "string"}},
        "required": ["role", "content"],
    },
}
LEGACY_CHAT: Json = {
    "input": {
        "type": "object",
        "oneOf": [
            {"properties": {"prompt": {"type": "string"}, **_SAMPLING}, "required": ["prompt"]},
            {
                "properties": {
                    "messages": _MESSAGES,
                    "tools": {"type": "array", "items": {}},
                    "response_format": {"type": "object"},
                    **_SAMPLING,
                },
                "required": ["messages"],
            },
            {"properties": {"requests": {"type": "array"}}, "required": ["requests"]},
        ],
    },
    "output": {"oneOf": [{"type": "object", "properties": {"response": {"type": "string"}}}]},
}
_PARTS: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": {"type": "string"},
            "content": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "array",
                        "items": {"properties": {"image_url": {"type": "object"}}},
                    },
                ]
            },
        },
    },
}
OPENAI_CHAT: Json = {
    "input": {
        "anyOf": [
            {
                "oneOf": [
                    {"properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
                    {
                        "properties": {
                            "messages": _PARTS,
                            "max_completion_tokens": {"type": "integer"},
                            "stream_options": {"type": "object"},
                            "tools": {"type": "array"},
                            "parallel_tool_calls": {"type": "boolean"},
                            "stop": {"type": "array"},
                        },
                        "required": ["messages"],
                    },
                ]
            }
        ]
    },
    "output": {"type": "object"},
}
PROMPT_ONLY_PICTURES: Json = {
    "input": {
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 2048},
            "steps": {
                "type": "integer",
                "maximum": 8,
                "description": "More is finer. Default is 4",
            },
        },
        "required": ["prompt"],
        "additionalProperties": False,
    },
    "output": {"type": "object", "properties": {"image": {"type": "string"}}},
}
DIFFUSION: Json = {
    "input": {
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1},
            "negative_prompt": {"type": "string"},
            "width": {"type": "integer", "minimum": 256, "maximum": 2048},
            "height": {"type": "integer", "minimum": 256, "maximum": 2048},
            "image": {"type": "array", "items": {"type": "number"}},
            "image_b64": {"type": "string"},
            "mask": {"type": "array", "items": {"type": "number"}},
            "num_steps": {"type": "integer", "default": 20, "maximum": 20},
            "seed": {"type": "integer"},
        },
        "required": ["prompt"],
    },
    "output": {"type": "string", "contentType": "image/png", "format": "binary"},
}
MULTIPART: Json = {
    "input": {
        "type": "object",
        "properties": {
            "multipart": {"type": "object", "properties": {"body": {"type": "object"}}},
            # Seen in the wild: the list of required fields stands among the properties.
            "required": ["multipart"],
        },
    },
    "output": {"type": "object", "properties": {"image": {"type": "string"}}},
}
EMBEDDINGS: Json = {
    "input": {
        "type": "object",
        "oneOf": [
            {
                "properties": {
                    "text": {
                        "oneOf": [
                            {"type": "string"},
                            {"type": "array", "items": {"type": "string"}, "maxItems": 100},
                        ]
                    },
                    "pooling": {"type": "string", "enum": ["mean", "cls"]},
                },
                "required": ["text"],
            },
            {"properties": {"requests": {"type": "array"}}},
        ],
    },
    "output": {},
}
GUARD: Json = {
    "input": {"type": "object", "properties": {"messages": _MESSAGES}, "required": ["messages"]},
    "output": {
        "type": "object",
        "properties": {
            "response": {
                "oneOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {
                            "safe": {"type": "boolean"},
                            "categories": {"type": "array"},
                        },
                    },
                ]
            }
        },
    },
}


class FakeUpstream:
    """Lists these entries and schemas; a schema may also be an error to raise."""

    def __init__(self, entries: list[Any], schemas: dict[str, Any] | None = None) -> None:
        self.entries = entries
        self.schemas = schemas or {}
        self.asked: list[str] = []
        self.closed = False

    async def list_models(self) -> list[Any]:
        if isinstance(self.entries, Exception):
            raise self.entries
        return copy.deepcopy(self.entries)

    async def model_schema(self, name: str) -> Json:
        self.asked.append(name)
        schema = self.schemas.get(name, {})
        if isinstance(schema, Exception):
            raise schema
        return copy.deepcopy(schema)

    async def aclose(self) -> None:
        self.closed = True


def small_catalog() -> FakeUpstream:
    return FakeUpstream(
        [
            entry(LLAMA, price=TOKEN_PRICE, context_window="24000", function_calling="true"),
            entry(FLUX, "Text-to-Image"),
            entry(BGE, "Text Embeddings", [usd(0.02, "per M input tokens")]),
            entry("@cf/microsoft/resnet-50", "Image Classification"),
        ],
        {LLAMA: LEGACY_CHAT, FLUX: PROMPT_ONLY_PICTURES, BGE: EMBEDDINGS},
    )
