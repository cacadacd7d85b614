"""The schemas of chat models that have their own: gpt-oss and Llama Guard."""

from functools import cache

from workers_ai.simulator.models.legacy_schema import legacy_content, legacy_schema
from workers_ai.simulator.models.schema_parts import Schema, number, text, whole


@cache
def gpt_oss_schema() -> Schema:
    """Three forms side by side: prompt or messages, OpenAI's Responses, and a batch of those."""
    legacy = legacy_schema(newest=True, parts=True)
    prompt_branch, messages_branch, _batch = legacy["input"]["oneOf"]
    responses = {
        "type": "object",
        "title": "Responses",
        "properties": {
            "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}]},
            "reasoning": {
                "type": "object",
                "properties": {
                    "effort": {
                        "type": "string",
                        "enum": ["low", "medium", "high"],
                        "default": "medium",
                    },
                    "summary": {"type": "string", "enum": ["auto", "concise", "detailed"]},
                },
            },
        },
        "required": ["input"],
    }
    batch = {
        "type": "object",
        "title": "Responses_Async",
        "properties": {"requests": {"type": "array", "items": responses}},
        "required": ["requests"],
    }
    chat = {"type": "object", "oneOf": [prompt_branch, messages_branch]}
    return {
        "input": {"oneOf": [chat, responses, batch]},
        "output": {
            "oneOf": [
                {"type": "object", "contentType": "application/json"},
                {"type": "string", "contentType": "text/event-stream", "format": "binary"},
            ]
        },
    }


@cache
def guard_schema() -> Schema:
    """Llama Guard's: messages only, and an answer that is text or a verdict."""
    message = {
        "type": "object",
        "properties": {
            "role": text("user or assistant"),
            "content": legacy_content(False, False),
        },
        "required": ["role", "content"],
    }
    verdict = {
        "type": "object",
        "properties": {
            "safe": {"type": "boolean"},
            "categories": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {
        "input": {
            "type": "object",
            "properties": {
                "messages": {"type": "array", "items": message},
                "max_tokens": whole("Most tokens to answer with.", default=256),
                "temperature": number("How adventurous the answer is.", 0, 5, default=0.6),
                "response_format": {"type": "object", "properties": {"type": {"type": "string"}}},
            },
            "required": ["messages"],
        },
        "output": {
            "type": "object",
            "contentType": "application/json",
            "properties": {
                "response": {"oneOf": [{"type": "string"}, verdict]},
                "usage": {"type": "object", "properties": {"prompt_tokens": {"type": "number"}}},
            },
        },
    }
