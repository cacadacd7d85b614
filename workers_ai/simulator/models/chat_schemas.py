"""JSON Schemas of chat models that are too large or too alike to keep as files.

`legacy_schema` is the older shape (`oneOf` prompt, messages, batch). `openai_schema` is the newer
one: OpenAI's whole request, spelled out again for every branch, which is why it is so large.
"""

from functools import cache
from typing import Any

Schema = dict[str, Any]


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _number(description: str, low: float, high: float, **more: Any) -> Schema:
    return {
        "type": "number",
        "description": description,
        "minimum": low,
        "maximum": high,
        **more,
    }


def _whole(description: str, **more: Any) -> Schema:
    return {"type": "integer", "description": description, **more}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _legacy_knobs(default_max_tokens: int, newest: bool) -> Schema:
    low, high = (0.001, 1) if newest else (0, 2)
    penalty = -2 if newest else 0
    return {
        "raw": {"type": "boolean", "default": False, "description": "Skip the chat template."},
        "stream": {"type": "boolean", "default": False, "description": "Answer as events."},
        "max_tokens": _whole("Most tokens to answer with.", default=default_max_tokens),
        "temperature": _number("How adventurous the answer is.", 0, 5, default=0.6),
        "top_p": _number("Share of probability to choose from.", low, high),
        "top_k": _whole("Number of tokens to choose from.", minimum=1, maximum=50),
        "seed": _whole("Makes answers repeatable.", minimum=1, maximum=9999999999),
        "repetition_penalty": _number("Against repeating.", 0, 2),
        "frequency_penalty": _number("Against repeating often.", penalty, 2),
        "presence_penalty": _number("Against known words.", penalty, 2),
    }


def _legacy_tools() -> Schema:
    parameters = {
        "type": "object",
        "properties": {
            "type": _text("Always an object."),
            "required": {"type": "array", "items": {"type": "string"}},
            "properties": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "type": _text("The parameter's type."),
                        "description": _text("What the parameter means."),
                    },
                    "required": ["type", "description"],
                },
            },
        },
        "required": ["type", "properties"],
    }
    function = {
        "properties": {
            "name": _text("The tool's name."),
            "description": _text("What the tool does."),
            "parameters": parameters,
        },
        "required": ["name", "description", "parameters"],
    }
    wrapped = {
        "properties": {
            "type": _text("The kind of tool."),
            "function": {"type": "object", **function},
        },
        "required": ["type", "function"],
    }
    return {"type": "array", "items": {"type": "object", "oneOf": [function, wrapped]}}


def _legacy_content(parts: bool, images: bool) -> Schema:
    part: Schema = {
        "type": "object",
        "properties": {"type": _text("The kind of part."), "text": _text("The text of the part.")},
    }
    if images:
        # Their own pattern: the colon is what may repeat, so it takes any word that begins so.
        part["properties"]["image_url"] = {
            "type": "object",
            "properties": {"url": _text("The picture as a data URI.", pattern="^data:*")},
        }
    if not parts:
        return _text("The message.", maxLength=131072)
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
        knobs["lora"] = _text("Name or id of a finetune.")
    message: Schema = {
        "type": "object",
        "properties": {"role": _text("Who speaks."), "content": _legacy_content(parts, images)},
    }
    if not images:
        message["required"] = ["role", "content"]
    prompt_branch = {
        "title": "Prompt",
        "properties": {"prompt": _text("The text to go on from.", minLength=1), **knobs},
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
                        "external_reference": _text("Comes back with the answer."),
                        "prompt": _text("The text to go on from.", minLength=1),
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
                    "response": _text("The answer."),
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
                "properties": {"request_id": _text("Ask for the answer with this.")},
            },
        ]
    }


# How the long descriptions of the real schemas go on; without them ours would be a tenth as large.
_LONG = (
    " The field behaves as it does in OpenAI's chat completions request, except that a model that "
    "has no use for it ignores it without a word. What a model makes of it can change with its "
    "serving stack, so callers that depend on it should look at the answer and not at the request. "
    "Leaving the field out means the model's own default, which the catalog does not list."
)


def _long(schema: Schema) -> Schema:
    return {**schema, "description": schema.get("description", "") + _LONG}


def _tool_definition() -> Schema:
    function = {
        "type": "object",
        "properties": {
            "name": _long(_text("The function's name.")),
            "description": _long(_text("What the function does, for the model to read.")),
            "parameters": {"type": "object", "additionalProperties": True},
            "strict": _nullable({"type": "boolean"}),
        },
        "required": ["name"],
    }
    custom = {
        "type": "object",
        "properties": {
            "name": _long(_text("The tool's name.")),
            "description": _long(_text("What the tool does.")),
            "format": {"type": "object", "additionalProperties": True},
        },
        "required": ["name"],
    }
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["function"]},
                    "function": function,
                },
                "required": ["type", "function"],
            },
            {
                "type": "object",
                "properties": {"type": {"type": "string", "enum": ["custom"]}, "custom": custom},
                "required": ["type", "custom"],
            },
        ]
    }


def _tool_choice() -> Schema:
    named = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["function", "custom", "allowed_tools"]},
            "function": {
                "type": "object",
                "properties": {"name": _text("The function to call.")},
                "required": ["name"],
            },
            "allowed_tools": {"type": "object", "additionalProperties": True},
        },
        "required": ["type"],
    }
    return {"anyOf": [{"type": "string"}, named, {"type": "null"}]}


def _content_parts() -> Schema:
    def part(kind: str, value: Schema) -> Schema:
        return {
            "type": "object",
            "properties": {"type": {"type": "string", "enum": [kind]}, kind: value},
            "required": ["type", kind],
        }

    picture = {
        "type": "object",
        "properties": {
            "url": _long(_text("The picture, as a data URI or an address.")),
            "detail": {"type": "string", "enum": ["auto", "low", "high"], "default": "auto"},
        },
        "required": ["url"],
    }
    sound = {
        "type": "object",
        "properties": {
            "data": _long(_text("The sound, in base64.")),
            "format": {"type": "string", "enum": ["wav", "mp3"]},
        },
        "required": ["data", "format"],
    }
    file = {
        "type": "object",
        "properties": {name: _long(_text(name)) for name in ("file_data", "file_id", "filename")},
    }
    return {
        "type": "array",
        "items": {
            "anyOf": [
                part("text", _long(_text("The text."))),
                part("image_url", picture),
                part("input_audio", sound),
                part("file", file),
                part("refusal", _long(_text("Why the model would not."))),
            ]
        },
        "minItems": 1,
    }


def _message(role: str) -> Schema:
    content: Schema = {"anyOf": [_long(_text("The message.")), _content_parts()]}
    properties: Schema = {
        "role": {"type": "string", "enum": [role]},
        "content": content,
        "name": _long(_text("A name for the speaker.")),
    }
    required = ["role", "content"]
    if role == "assistant":
        content["anyOf"].append({"type": "null"})
        required = ["role"]
        properties["refusal"] = _nullable(_long(_text("Why the model would not.")))
        properties["reasoning"] = _nullable(_long(_text("What the model thought.")))
        properties["reasoning_content"] = _nullable(_long(_text("The same, under another name.")))
        properties["tool_calls"] = {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": _long(_text("The call's id.")),
                    "type": {"type": "string", "enum": ["function", "custom"]},
                    "function": {
                        "type": "object",
                        "properties": {
                            "name": _text("The function."),
                            "arguments": _long(_text("The arguments, as JSON in a string.")),
                        },
                        "required": ["name", "arguments"],
                    },
                },
                "required": ["id", "type"],
            },
        }
        properties["function_call"] = _nullable({"type": "object", "additionalProperties": True})
    if role == "tool":
        properties["tool_call_id"] = _long(_text("The call that this answers."))
        required = ["role", "content", "tool_call_id"]
    if role == "function":
        required = ["role", "name"]
        content["anyOf"].append({"type": "null"})
    return {"type": "object", "properties": properties, "required": required}


def _openai_knobs(envelope: bool) -> Schema:
    json_schema: Schema = {"type": "object", "additionalProperties": True}
    if envelope:
        json_schema = {
            "type": "object",
            "properties": {
                "name": _long(_text("A name for the schema.")),
                "description": _long(_text("What it is for.")),
                "schema": {"type": "object", "additionalProperties": True},
                "strict": _nullable({"type": "boolean"}),
            },
            "required": ["name"],
        }
    knobs: Schema = {
        "model": _text("The model's name."),
        "audio": _nullable({"type": "object", "additionalProperties": True}),
        "frequency_penalty": _nullable(_number("Against repeating often.", -2, 2)),
        "logit_bias": _nullable({"type": "object", "additionalProperties": {"type": "number"}}),
        "logprobs": _nullable({"type": "boolean", "default": False}),
        "top_logprobs": _nullable(_whole("Alternatives to list.", minimum=0, maximum=20)),
        "max_tokens": _nullable(_whole("Most tokens to answer with.")),
        "max_completion_tokens": _nullable(_whole("Most tokens, thoughts included.")),
        "metadata": _nullable({"type": "object", "additionalProperties": {"type": "string"}}),
        "modalities": _nullable(
            {"type": "array", "items": {"type": "string", "enum": ["text", "audio"]}}
        ),
        "n": _nullable(_whole("Number of answers.", minimum=1, maximum=128)),
        "parallel_tool_calls": {"type": "boolean", "default": True},
        "prediction": _nullable({"type": "object", "additionalProperties": True}),
        "presence_penalty": _nullable(_number("Against known words.", -2, 2)),
        "reasoning_effort": _nullable(_text("How long to think: low, medium or high.")),
        "chat_template_kwargs": {
            "type": "object",
            "properties": {
                "enable_thinking": {"type": "boolean", "default": True},
                "clear_thinking": {"type": "boolean", "default": False},
            },
        },
        "response_format": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"type": {"type": "string", "enum": ["text"]}},
                    "required": ["type"],
                },
                {
                    "type": "object",
                    "properties": {"type": {"type": "string", "enum": ["json_object"]}},
                    "required": ["type"],
                },
                {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "enum": ["json_schema"]},
                        "json_schema": json_schema,
                    },
                    "required": ["type", "json_schema"],
                },
            ]
        },
        "seed": _nullable(_whole("Makes answers repeatable.")),
        "service_tier": _nullable(
            {"type": "string", "enum": ["auto", "default", "flex", "scale", "priority"]}
        ),
        "stop": {
            "anyOf": [
                {"type": "null"},
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 4},
            ]
        },
        "store": _nullable({"type": "boolean"}),
        "stream": _nullable({"type": "boolean", "default": False}),
        "stream_options": _nullable(
            {
                "type": "object",
                "properties": {
                    "include_usage": {"type": "boolean"},
                    "include_obfuscation": {"type": "boolean"},
                },
            }
        ),
        "temperature": _nullable(_number("How adventurous the answer is.", 0, 5)),
        "top_p": _nullable(_number("Share of probability to choose from.", 0.001, 1)),
        "top_k": _nullable(_whole("Number of tokens to choose from.")),
        "tool_choice": _tool_choice(),
        "tools": {"type": "array", "items": _tool_definition(), "maxItems": 128},
        "user": _text("Who asks."),
        "web_search_options": {"type": "object", "additionalProperties": True},
        "function_call": {
            "anyOf": [{"type": "string", "enum": ["none", "auto"]}, {"type": "object"}]
        },
        "functions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            },
        },
        "options": {"type": "object", "properties": {"rejectIfBusy": {"type": "boolean"}}},
    }
    return {
        name: _long(knob) if "description" in knob else {**knob, "description": f"{name}.{_LONG}"}
        for name, knob in knobs.items()
    }


@cache
def openai_schema(*, envelope: bool = True) -> Schema:
    knobs = _openai_knobs(envelope)
    roles = ("developer", "system", "user", "assistant", "tool", "function")
    messages = {"type": "array", "items": {"anyOf": [_message(role) for role in roles]}}
    prompt_branch = {
        "title": "Prompt",
        "type": "object",
        "properties": {"prompt": _text("The text to go on from.", minLength=1), **knobs},
        "required": ["prompt"],
    }
    messages_branch = {
        "title": "Messages",
        "type": "object",
        "properties": {"messages": {**messages, "minItems": 1}, **knobs},
        "required": ["messages"],
    }
    one = {"title": "Request", "oneOf": [prompt_branch, messages_branch]}
    batch = {
        "title": "Batch",
        "type": "object",
        "properties": {
            "requests": {
                "type": "array",
                "items": {"oneOf": [prompt_branch, messages_branch]},
            }
        },
        "required": ["requests"],
    }
    return {"input": {"anyOf": [one, batch]}, "output": _openai_output()}


def _openai_output() -> Schema:
    message = {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": ["assistant"]},
            "content": _nullable(_long(_text("The answer."))),
            "reasoning": _nullable(_long(_text("What the model thought."))),
            "reasoning_content": _nullable(_long(_text("The same, under another name."))),
            "refusal": _nullable(_long(_text("Why the model would not."))),
            "tool_calls": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["role"],
    }
    choice = {
        "type": "object",
        "properties": {
            "index": {"type": "integer"},
            "message": message,
            "finish_reason": {
                "type": "string",
                "enum": ["stop", "length", "tool_calls", "content_filter", "function_call"],
            },
            "logprobs": _nullable({"type": "object"}),
        },
        "required": ["index", "message", "finish_reason"],
    }
    completion = {
        "type": "object",
        "contentType": "application/json",
        "properties": {
            "id": _long(_text("The answer's id.")),
            "object": {"type": "string", "enum": ["chat.completion"]},
            "created": {"type": "integer"},
            "model": _long(_text("The model that answered.")),
            "choices": {"type": "array", "items": choice, "minItems": 1},
            "usage": {
                "type": "object",
                "properties": {
                    name: {"type": "integer"}
                    for name in ("prompt_tokens", "completion_tokens", "total_tokens")
                },
            },
        },
        "required": ["id", "object", "created", "model", "choices"],
    }
    events = {"type": "string", "contentType": "text/event-stream", "format": "binary"}
    return {"oneOf": [completion, events]}


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
            "role": _text("user or assistant"),
            "content": _legacy_content(False, False),
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
                "max_tokens": _whole("Most tokens to answer with.", default=256),
                "temperature": _number("How adventurous the answer is.", 0, 5, default=0.6),
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
