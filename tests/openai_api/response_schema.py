"""The `response` object by OpenAI's types and by the Open Responses specification, as JSON Schema.

OpenAI's SDK leaves much optional that the API always sends; what clients that check strictly need
is added here.
"""

from typing import Any

import openai.types.responses as openai
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

# Always there, whatever the request said, in every event that carries a response.
REQUIRED = (
    *("id", "object", "created_at", "completed_at", "status", "incomplete_details", "model"),
    *("previous_response_id", "instructions", "output", "error", "tools", "tool_choice"),
    *("truncation", "parallel_tool_calls", "text", "top_p", "presence_penalty"),
    *("frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage"),
    *("max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata"),
    *("safety_identifier", "prompt_cache_key"),
)
NEVER_NULL = (
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "metadata"),
    *("user", "text", "tools", "output", "tool_choice"),
)

_OPENAI = Draft202012Validator(TypeAdapter(openai.Response).json_schema(by_alias=True))


def assert_complete(body: dict[str, Any]) -> None:
    """`body` has all fields, of the types that OpenAI's schema says."""
    _OPENAI.validate(body)
    missing = [name for name in REQUIRED if name not in body]
    assert not missing
    assert not [name for name in NEVER_NULL if name in body and body[name] is None]
    ended = body["status"] == "completed"
    assert (body["completed_at"] is not None) == ended
    for item in body["output"]:
        assert item.get("encrypted_content", "") is not None
        assert item["status"] in ("in_progress", "completed", "incomplete")
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "output_text":
                    assert {"annotations", "logprobs", "text"} <= part.keys()
