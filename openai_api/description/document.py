"""The OpenAPI document: every operation with its fields, answers and failures. Pure."""

from collections.abc import Mapping
from typing import Any

from openai_api.description import account, answers, dialect_inputs, events, failures, inputs
from openai_api.description.operations import OPERATIONS, Operation
from openai_api.description.shapes import NAME, OBJECT, Schema, either, reference, thing
from openai_api.images.request import HARD_MAX_COUNT
from openai_api.wire.declared import Field

_ABOUT = """\
Workers AI over the OpenAI API, with Anthropic's Messages and OpenAI's Responses.

Every path also works without `/v1` and with a slash at its end. A field that is null counts as not
given. What a request asks for and is left out is named in `x-gateway-ignored`.
"""
# Streams whose last event says so; of Responses, those of callers of Open Responses.
END_WITH_DONE = ("ChatEvent", "TextCompletionEvent", "ResponseEvent")
_ANSWER_HEADERS = {
    "x-request-id": "The request, also in the log and in every failure.",
    "x-gateway-model": "The model that answered.",
    "x-gateway-ignored": "What was asked for and left out.",
}


def document(*, default_image_model: str, most_images: int, most_body_bytes: int) -> dict[str, Any]:
    """The whole document, as these settings make it."""
    schemas: dict[str, Schema] = {
        **inputs.SCHEMAS,
        **dialect_inputs.SCHEMAS,
        **answers.SCHEMAS,
        **events.SCHEMAS,
        **account.SCHEMAS,
        **failures.SCHEMAS,
        "Document": thing(openapi={"type": "string"}, info=OBJECT, paths=OBJECT),
    }
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        told = _operation(operation)
        if operation.id in ("images", "image_edits"):
            _narrow(told, has_default=bool(default_image_model), most=most_images)
        paths.setdefault(operation.path, {})[operation.method] = told
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Workers AI Gateway",
            "version": "1",
            "description": f"{_ABOUT}\nA body may have {most_body_bytes:,} bytes.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"x-api-key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures.components(),
            "headers": {
                name: {"description": about, "schema": {"type": "string"}}
                for name, about in _ANSWER_HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if not operation.needs_key:
        told["security"] = [{}, {"bearer": []}, {"x-api-key": []}]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()
    ]
    if "{model_id}" in operation.path:
        parameters.append({"name": "model_id", "in": "path", "required": True, "schema": NAME})
    if parameters:
        told["parameters"] = parameters
    if operation.fields:
        told["requestBody"] = {"required": True, "content": _bodies(operation)}
    told["responses"] = {
        "200": {
            "description": "The answer.",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _ANSWER_HEADERS},
            "content": _content(operation),
        },
        **failures.answers(has_body=bool(operation.fields), anthropic=operation.anthropic),
    }
    return told


def _bodies(operation: Operation) -> dict[str, Any]:
    in_json = operation.as_json if operation.is_form else operation.fields
    bodies = {}
    if operation.is_form:
        bodies["multipart/form-data"] = {"schema": _body(operation.fields, nullable=False)}
    if in_json:
        bodies["application/json"] = {"schema": _body(in_json, nullable=True)}
    return bodies


def _body(fields: Mapping[str, Field], *, nullable: bool) -> Schema:
    return {
        "type": "object",
        "properties": {name: field.schema(nullable=nullable) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.is_required],
    }


def _content(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answer:
        content["application/json"] = {"schema": reference(operation.answer)}
    content |= {kind: {"schema": schema} for kind, schema in operation.others.items()}
    if operation.event:
        content["text/event-stream"] = {"schema": _events_of(operation.event)}
    return content


def _events_of(schema: str) -> Schema:
    """Each event of a stream, as OpenAPI 3.2 has it and tools for 3.1 read it too."""
    data: Schema = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": reference(schema),
    }
    # The end of OpenAI's streams, which is no JSON.
    if schema in END_WITH_DONE:
        data = either({"const": "[DONE]"}, data)
    return {
        "type": "object",
        "properties": {"event": {"type": "string"}, "data": data},
        "required": ["data"],
    }


def _narrow(told: dict[str, Any], *, has_default: bool, most: int) -> None:
    """What the operator's settings say of pictures."""
    for content in told["requestBody"]["content"].values():
        schema = content["schema"]
        for name in ("n", "batch_size"):
            schema["properties"][name]["maximum"] = min(most, HARD_MAX_COUNT)
        if not has_default:
            schema["required"] = ["model", *schema["required"]]
            schema["properties"]["model"] = {
                **NAME,
                "examples": schema["properties"]["model"]["examples"],
            }
