"""The newer schema of chat models: OpenAI's whole request, spelled out again for every branch,
which is why it is so large.
"""

from functools import cache

from workers_ai.simulator.models.schema_parts import Schema, nullable, number, text, whole

# Stands for the long descriptions of the real schemas, which are ten times as large as the rest.
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
            "name": _long(text("The function's name.")),
            "description": _long(text("What the function does, for the model to read.")),
            "parameters": {"type": "object", "additionalProperties": True},
            "strict": nullable({"type": "boolean"}),
        },
        "required": ["name"],
    }
    custom = {
        "type": "object",
        "properties": {
            "name": _long(text("The tool's name.")),
            "description": _long(text("What the tool does.")),
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
                "properties": {"name": text("The function to call.")},
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
            "url": _long(text("The picture, as a data URI or an address.")),
            "detail": {"type": "string", "enum": ["auto", "low", "high"], "default": "auto"},
        },
        "required": ["url"],
    }
    sound = {
        "type": "object",
        "properties": {
            "data": _long(text("The sound, in base64.")),
            "format": {"type": "string", "enum": ["wav", "mp3"]},
        },
        "required": ["data", "format"],
    }
    file = {
        "type": "object",
        "properties": {name: _long(text(name)) for name in ("file_data", "file_id", "filename")},
    }
    return {
        "type": "array",
        "items": {
            "anyOf": [
                part("text", _long(text("The text."))),
                part("image_url", picture),
                part("input_audio", sound),
                part("file", file),
                part("refusal", _long(text("Why the model would not."))),
            ]
        },
        "minItems": 1,
    }


def _message(role: str) -> Schema:
    content: Schema = {"anyOf": [_long(text("The message.")), _content_parts()]}
    properties: Schema = {
        "role": {"type": "string", "enum": [role]},
        "content": content,
        "name": _long(text("A name for the speaker.")),
    }
    required = ["role", "content"]
    if role == "assistant":
        content["anyOf"].append({"type": "null"})
        required = ["role"]
        properties["refusal"] = nullable(_long(text("Why the model would not.")))
        properties["reasoning"] = nullable(_long(text("What the model thought.")))
        properties["reasoning_content"] = nullable(_long(text("The same, under another name.")))
        properties["tool_calls"] = {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": _long(text("The call's id.")),
                    "type": {"type": "string", "enum": ["function", "custom"]},
                    "function": {
                        "type": "object",
                        "properties": {
                            "name": text("The function."),
                            "arguments": _long(text("The arguments, as JSON in a string.")),
                        },
                        "required": ["name", "arguments"],
                    },
                },
                "required": ["id", "type"],
            },
        }
        properties["function_call"] = nullable({"type": "object", "additionalProperties": True})
    if role == "tool":
        properties["tool_call_id"] = _long(text("The call that this answers."))
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
                "name": _long(text("A name for the schema.")),
                "description": _long(text("What it is for.")),
                "schema": {"type": "object", "additionalProperties": True},
                "strict": nullable({"type": "boolean"}),
            },
            "required": ["name"],
        }
    knobs: Schema = {
        "model": text("The model's name."),
        "audio": nullable({"type": "object", "additionalProperties": True}),
        "frequency_penalty": nullable(number("Against repeating often.", -2, 2)),
        "logit_bias": nullable({"type": "object", "additionalProperties": {"type": "number"}}),
        "logprobs": nullable({"type": "boolean", "default": False}),
        "top_logprobs": nullable(whole("Alternatives to list.", minimum=0, maximum=20)),
        "max_tokens": nullable(whole("Most tokens to answer with.")),
        "max_completion_tokens": nullable(whole("Most tokens, thoughts included.")),
        "metadata": nullable({"type": "object", "additionalProperties": {"type": "string"}}),
        "modalities": nullable(
            {"type": "array", "items": {"type": "string", "enum": ["text", "audio"]}}
        ),
        "n": nullable(whole("Number of answers.", minimum=1, maximum=128)),
        "parallel_tool_calls": {"type": "boolean", "default": True},
        "prediction": nullable({"type": "object", "additionalProperties": True}),
        "presence_penalty": nullable(number("Against known words.", -2, 2)),
        "reasoning_effort": nullable(text("How long to think: low, medium or high.")),
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
        "seed": nullable(whole("Makes answers repeatable.")),
        "service_tier": nullable(
            {"type": "string", "enum": ["auto", "default", "flex", "scale", "priority"]}
        ),
        "stop": {
            "anyOf": [
                {"type": "null"},
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 4},
            ]
        },
        "store": nullable({"type": "boolean"}),
        "stream": nullable({"type": "boolean", "default": False}),
        "stream_options": nullable(
            {
                "type": "object",
                "properties": {
                    "include_usage": {"type": "boolean"},
                    "include_obfuscation": {"type": "boolean"},
                },
            }
        ),
        "temperature": nullable(number("How adventurous the answer is.", 0, 5)),
        "top_p": nullable(number("Share of probability to choose from.", 0.001, 1)),
        "top_k": nullable(whole("Number of tokens to choose from.")),
        "tool_choice": _tool_choice(),
        "tools": {"type": "array", "items": _tool_definition(), "maxItems": 128},
        "user": text("Who asks."),
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
        "properties": {"prompt": text("The text to go on from.", minLength=1), **knobs},
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
            "content": nullable(_long(text("The answer."))),
            "reasoning": nullable(_long(text("What the model thought."))),
            "reasoning_content": nullable(_long(text("The same, under another name."))),
            "refusal": nullable(_long(text("Why the model would not."))),
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
            "logprobs": nullable({"type": "object"}),
        },
        "required": ["index", "message", "finish_reason"],
    }
    completion = {
        "type": "object",
        "contentType": "application/json",
        "properties": {
            "id": _long(text("The answer's id.")),
            "object": {"type": "string", "enum": ["chat.completion"]},
            "created": {"type": "integer"},
            "model": _long(text("The model that answered.")),
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
