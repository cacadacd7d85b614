"""The mock's catalog: models for chats, with a price, and one for pictures."""

from collections.abc import Sequence
from typing import Any

CHAT_SCHEMA = {
    "input": {
        "type": "object",
        "oneOf": [
            {
                "title": "Prompt",
                "properties": {"prompt": {"type": "string"}},
                "required": ["prompt"],
            },
            {
                "title": "Messages",
                "properties": {
                    "messages": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "role": {"type": "string"},
                                "content": {
                                    "oneOf": [
                                        {"type": "string"},
                                        {
                                            "type": "array",
                                            "items": {
                                                "type": "object",
                                                "properties": {
                                                    "type": {"type": "string"},
                                                    "text": {"type": "string"},
                                                    "image_url": {
                                                        "type": "object",
                                                        "properties": {"url": {"type": "string"}},
                                                    },
                                                },
                                            },
                                        },
                                    ]
                                },
                            },
                        },
                    },
                    "max_tokens": {"type": "integer", "default": 256},
                    "max_completion_tokens": {"type": "integer"},
                    "stream": {"type": "boolean"},
                    "stream_options": {"type": "object"},
                    "temperature": {"type": "number"},
                    "tools": {"type": "array", "items": {"type": "object"}},
                    "tool_choice": {"type": "string"},
                },
                "required": ["messages"],
            },
        ],
    },
    "output": {
        "oneOf": [
            {"type": "object", "properties": {"choices": {"type": "array"}}},
            {"type": "string", "contentType": "text/event-stream", "format": "binary"},
        ]
    },
}
IMAGE_SCHEMA = {
    "input": {
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 2048},
            "steps": {"type": "integer", "default": 4, "maximum": 8},
        },
        "required": ["prompt"],
        "additionalProperties": False,
    },
    "output": {"type": "object", "properties": {"image": {"type": "string"}}},
}


def catalog(names: Sequence[str], image_model: str) -> list[dict[str, Any]]:
    """The entries of models/search."""
    prices = [
        {"unit": "per M input tokens", "price": 0.1, "currency": "USD"},
        {"unit": "per M output tokens", "price": 0.4, "currency": "USD"},
    ]
    entries = [
        entry(
            name,
            ("c329a1f9-323d-4e91-b2aa-582dd4188d34", "Text Generation"),
            [
                {"property_id": "context_window", "value": "1000000"},
                {"property_id": "vision", "value": "true"},
                {"property_id": "function_calling", "value": "true"},
                {"property_id": "price", "value": prices},
            ],
        )
        for name in names
    ]
    return [
        *entries,
        entry(image_model, ("3d6e1f35-341b-4915-a6c8-9a7142a9033a", "Text-to-Image"), []),
    ]


def entry(name: str, task: tuple[str, str], properties: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"bench-{name.rpartition('/')[2]}",
        "source": 1,
        "name": name,
        "description": "A model of the benchmark.",
        "task": {"id": task[0], "name": task[1], "description": ""},
        "created_at": "2026-01-01 00:00:00.000",
        "tags": [],
        "properties": properties,
    }
