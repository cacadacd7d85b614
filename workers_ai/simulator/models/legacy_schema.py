"""The older schema of chat models: `oneOf` a prompt, messages, or a batch of prompts."""

from functools import cache

from workers_ai.simulator.models.schema_parts import Schema, number, text, whole


def _legacy_knobs(default_max_tokens: int, newest: bool) -> Schema:
    low, high = (0.001, 1) if newest else (0, 2)
    penalty = -2 if newest else 0
    return {
        "raw": {"type": "boolean", "default": False, "description": "Skip the chat template."},
        "stream": {"type": "boolean", "default": False, "description": "Answer as events."},
        "max_tokens": whole("Most tokens to answer with.", default=default_max_tokens),
        "temperature": number("How adventurous the answer is.", 0, 5, default=0.6),
        "top_p": number("Share of probability to choose from.", low, high),
        "top_k": whole("Number of tokens to choose from.", minimum=1, maximum=50),
        "seed": whole("Makes answers repeatable.", minimum=1, maximum=9999999999),
        "repetition_penalty": number("Against repeating.", 0, 2),
        "frequency_penalty": number("Against repeating often.", penalty, 2),
        "presence_penalty": number("Against known words.", penalty, 2),
    }


def _legacy_tools() -> Schema:
    parameters = {
        "type": "object",
        "properties": {
            "type": text("Always an object."),
            "required": {"type": "array", "items": {"type": "string"}},
            "properties": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "type": text("The parameter's type."),
                        "description": text("What the parameter means."),
                    },
                    "required": ["type", "description"],
                },
            },
        },
        "required": ["type", "properties"],
    }
    function = {
        "properties": {
            "name": text("The tool's name."),
            "description": text("What the tool does."),
            "parameters": parameters,
        },
        "required": ["name", "description", "parameters"],
    }
    wrapped = {
        "properties": {
            "type": text("The kind of tool."),
            "function": {"type": "object", **function},
        },
        "required": ["type", "function"],
    }
    return {"type": "array", "items": {"type": "object", "oneOf": [function, wrapped]}}


def legacy_content(parts: bool, images: bool) -> Schema:
    part: Schema = {
        "type": "object",
        "properties": {"type": text("The kind of part."), "text": text("The text of the part.")},
    }
    if images:
        # Their own pattern: the colon is what may repeat, so it takes any word that begins so.
        part["properties"]["image_url"] = {
            "type": "object",
            "properties": {"url": text("The picture as a data URI.", pattern="^data:*")},
        }
    if not parts:
        return text("The message.", maxLength=131072)
    return {"oneOf": [{"type": "string"}, {"type": "array", "items": part}]}


@cache
def legacy_schema(
    *,
    default_max_tokens: int = 256,
    newest: bool = False,
    parts: bool = False,
    images: bool = False,
    guided: bool = False,
    lora: bool = False,
) -> Schema:
    knobs = _legacy_knobs(default_max_tokens, newest)
    knobs["response_format"] = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["json_object", "json_schema"]},
            "json_schema": {},
        },
    }
    if guided:
        knobs["guided_json"] = {"type": "object", "description": "Schema the answer must fit."}
    if lora:
        knobs["lora"] = text("Name or id of a finetune.")
    message: Schema = {
        "type": "object",
        "properties": {"role": text("Who speaks."), "content": legacy_content(parts, images)},
    }
    if not images:
        message["required"] = ["role", "content"]
    prompt_branch = {
        "title": "Prompt",
        "properties": {"prompt": text("The text to go on from.", minLength=1), **knobs},
        "required": ["prompt"],
    }
    messages_branch = {
        "title": "Messages",
        "properties": {
            "messages": {"type": "array", "items": message},
            "functions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "code": {"type": "string"}},
                    "required": ["name", "code"],
                },
            },
            "tools": _legacy_tools(),
            **knobs,
        },
        "required": ["messages"],
    }
    batch_branch = {
        "title": "Async Batch",
        "type": "object",
        "properties": {
            "requests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "external_reference": text("Comes back with the answer."),
                        "prompt": text("The text to go on from.", minLength=1),
                        **knobs,
                    },
                },
            }
        },
    }
    return {
        "input": {"type": "object", "oneOf": [prompt_branch, messages_branch, batch_branch]},
        "output": _legacy_output(),
    }


def _legacy_output() -> Schema:
    tokens = {"type": "number", "default": 0}
    return {
        "oneOf": [
            {
                "type": "object",
                "contentType": "application/json",
                "properties": {
                    "response": text("The answer."),
                    "usage": {
                        "type": "object",
                        "properties": {
                            "prompt_tokens": tokens,
                            "completion_tokens": tokens,
                            "total_tokens": tokens,
                        },
                    },
                    "tool_calls": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "arguments": {"type": "object"},
                                "name": {"type": "string"},
                            },
                        },
                    },
                },
                "required": ["response"],
            },
            {"type": "string", "contentType": "text/event-stream", "format": "binary"},
            {
                "type": "object",
                "contentType": "application/json",
                "title": "Async response",
                "properties": {"request_id": text("Ask for the answer with this.")},
            },
        ]
    }
