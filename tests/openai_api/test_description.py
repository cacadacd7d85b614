"""`GET /v1/openapi.json` against the gateway that it describes: every field and answer in it."""

import json
from functools import cache
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from openai_api.description.document import document
from openai_api.description.operations import OPERATIONS, Operation
from openai_api.urls import urlpatterns
from tests.conformity.pinned import MODELS
from tests.contract.pictures import png
from tests.openai_api.chats import SGLANG, WEATHER_TOOL
from workers_ai.simulator.serve import RunningSimulator
from workers_ai.simulator.tasks import sound

Schema = dict[str, Any]
DOCUMENT = document(default_image_model="", most_images=4, most_body_bytes=1)
RUN = [operation for operation in OPERATIONS if operation.fields]
READ = [operation for operation in OPERATIONS if not operation.fields]
FILES = {"file": ("a.wav", sound.wav("one two three", 8000)), "image": ("a.png", png(64, 64))}
FUNCTION = WEATHER_TOOL["function"]
# Of fields whose schema alone gives no sensible value.
VALUES: dict[str, Any] = {
    "tools": [],
    "tool_choice": "none",
    "functions": [FUNCTION],
    "function_call": "none",
    "response_format": {"type": "text"},
    "system": "Be brief.",
    "stop": "x",
    "dimensions": 768,
    "output_format": {"type": "json_schema", "schema": {"type": "object"}},
}
# Models that take each field.
WIDEST = {"chat": SGLANG, "embeddings": "@cf/baai/bge-base-en-v1.5"}
STREAMS = ("stream", "stream_format")
# Fields that are taken only with others, or by some models.
WITH = {"function_call": {"functions": [FUNCTION]}, "top_logprobs": {"logprobs": True}}


def path_of(operation: Operation) -> str:
    return operation.path.replace("{model_id}", "@cf/openai/gpt-oss-120b")


def body_schema(operation: Operation) -> Schema:
    bodies = DOCUMENT["paths"][operation.path]["post"]["requestBody"]["content"]
    kind = "multipart/form-data" if operation.is_form else "application/json"
    schema: Schema = bodies[kind]["schema"]
    return schema


def example(name: str, schema: Schema) -> Any:
    """A value of the field, as its schema describes it."""
    if schema.get("examples"):
        return schema["examples"][0]
    if name == "stream_format":
        return "sse"
    if "enum" in schema:
        return schema["enum"][0]
    if name in VALUES:
        return VALUES[name]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    by_type: dict[Any, Any] = {
        "boolean": True,
        "string": "x",
        "array": [],
        "object": {},
        "null": None,
        **dict.fromkeys(("integer", "number"), max(1, schema.get("minimum", 1))),
    }
    return by_type[kind]


def least(operation: Operation) -> dict[str, Any]:
    """The fields that a request needs, files aside."""
    schema = body_schema(operation)
    pinned = MODELS[operation.path.removeprefix("/v1").removeprefix("/v2")][0]
    given = {name: example(name, schema["properties"][name]) for name in schema["required"]
             if name not in FILES}  # fmt: skip
    return {**given, "model": WIDEST.get(operation.id, pinned)}


def send(client: httpx.Client, operation: Operation, body: dict[str, Any]) -> httpx.Response:
    url = str(client.base_url).removesuffix("/v1/") + operation.path
    if not operation.is_form:
        return client.post(url, json=body)
    files = {name: file for name, file in FILES.items() if name in operation.fields}
    data = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in body.items()
    }
    return client.post(url, data=data, files=files)


def check(response: httpx.Response, operation: Operation) -> None:
    """The answer is one that the document has, of its media type and shape."""
    answers = DOCUMENT["paths"][operation.path][operation.method]["responses"]
    told = answers[str(response.status_code)]
    if "$ref" in told:
        told = DOCUMENT["components"]["responses"][told["$ref"].rpartition("/")[2]]
    kind = response.headers["content-type"].partition(";")[0]
    schema = told["content"][kind]["schema"]
    if kind == "application/json":
        validate(response.json(), schema)
    elif kind == "text/event-stream":
        described = schema["properties"]["data"]
        inner = described.get("anyOf", [described])[-1]["contentSchema"]
        told_events = [line[6:] for line in response.text.splitlines() if line[:6] == "data: "]
        assert told_events
        for data in told_events:
            if data != "[DONE]":
                validate(json.loads(data), inner)


def validate(value: Any, schema: Schema) -> None:
    validator(json.dumps(schema)).validate(value)


def is_valid(value: Any, schema: Schema) -> bool:
    return bool(validator(json.dumps(schema)).is_valid(value))


@cache
def validator(written: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(written), "components": DOCUMENT["components"]})


def test_every_path_is_described_and_nothing_else() -> None:
    served = {f"/{pattern.pattern}" for pattern in urlpatterns}
    described = {
        operation.path.removeprefix("/v1").replace("{model_id}", "<path:model_id>")
        for operation in OPERATIONS
    }
    assert described == served


def test_every_reference_leads_somewhere() -> None:
    written = json.dumps(DOCUMENT)
    for name in {part.partition('"')[0] for part in written.split('"$ref": "#/')[1:]}:
        found: Any = DOCUMENT
        for step in name.split("/"):
            found = found[step]


def test_a_body_in_json_beside_a_form_is_described_too() -> None:
    (operation,) = [one for one in OPERATIONS if one.as_json]
    bodies = DOCUMENT["paths"][operation.path]["post"]["requestBody"]["content"]
    schema = bodies["application/json"]["schema"]
    assert schema["required"][-1] == "images"
    picture = {"image_url": "data:image/png;base64,AAAA"}
    given = {"model": MODELS["/images/edits"][0], "prompt": "a cat", "mask": None}
    assert is_valid({**given, "images": [picture]}, schema)
    assert not is_valid({**given, "images": [{"file_id": "file_1"}]}, schema)


@pytest.mark.parametrize("operation", RUN, ids=lambda operation: operation.id)
def test_each_field_is_taken_as_described(
    client: httpx.Client, upstream: RunningSimulator, operation: Operation
) -> None:
    needed = least(operation)
    answered(client, operation, needed)
    fields = {
        name: field
        for name, field in body_schema(operation)["properties"].items()
        if name not in needed and name not in FILES and name != "mask"
    }
    examples = {name: example(name, field) for name, field in fields.items()}
    streams = {name: examples.pop(name) for name in STREAMS if name in examples}
    for name, value in streams.items():
        answered(client, operation, {**needed, name: value})
    together = send(client, operation, {**needed, **examples})
    if together.status_code != 200:
        # Which field it is.
        for name, value in examples.items():
            answered(client, operation, {**needed, **WITH.get(name, {}), name: value})
    if not operation.is_form:
        answered(client, operation, {**needed, **dict.fromkeys(fields)})
        for name, field in fields.items():
            refused_if_wrong(client, operation, {**needed, **WITH.get(name, {})}, name, field)
            # Beside all others too, of which one may decide in its place.
            refused_if_wrong(client, operation, {**needed, **examples}, name, field)


def answered(client: httpx.Client, operation: Operation, body: dict[str, Any]) -> None:
    response = send(client, operation, body)
    assert response.status_code == 200, f"{body}: {response.text}"
    check(response, operation)


def wrong_for(field: Schema) -> Any:
    """A value that the field may not have."""
    return next(value for value in ({"a": 1}, 5, "") if not is_valid(value, field))


def refused_if_wrong(
    client: httpx.Client, operation: Operation, body: dict[str, Any], name: str, field: Schema
) -> None:
    """A value of another type is refused, by the name of the field."""
    response = send(client, operation, {**body, name: wrong_for(field)})
    assert response.status_code == 400, f"{name}: {response.text}"
    assert name in response.text
    check(response, operation)


@pytest.mark.parametrize(
    "operation", [one for one in RUN if not one.is_form], ids=lambda operation: operation.id
)
def test_each_field_inside_of_another_is_refused_where_it_is_wrong_whatever_stands_beside_it(
    client: httpx.Client, operation: Operation
) -> None:
    needed = least(operation)
    for name, field in body_schema(operation)["properties"].items():
        members = field.get("properties", {})
        required = {one: example(one, members[one]) for one in field.get("required", ())}
        for member, described in members.items():
            if "json_schema" in (name, member):
                continue  # only described beside the type that uses it
            for beside in [{}, *alternatives(members, member)]:
                inside = {**required, **beside}
                wrong = {member: wrong_for(described)}
                response = send(client, operation, {**needed, name: {**inside, **wrong}})
                assert response.status_code == 400, f"{name}: {inside} and {wrong}"
                assert f"{name}.{member}" in response.text
                check(response, operation)


def alternatives(members: Schema, but: str) -> list[dict[str, Any]]:
    """One other member each, with each of the values that it may have."""
    values: list[dict[str, Any]] = []
    for name, schema in members.items():
        if name != but:
            of_type = [True, False] if "boolean" in schema.get("type", ()) else []
            values += [{name: value} for value in schema.get("enum", of_type)]
    return values


@pytest.mark.parametrize("operation", READ, ids=lambda operation: operation.id)
def test_what_is_read_is_as_described(client: httpx.Client, operation: Operation) -> None:
    url = str(client.base_url).removesuffix("/v1/")
    response = client.get(url + path_of(operation))
    assert response.status_code == 200
    check(response, operation)
    alone = httpx.get(url + path_of(operation))
    assert alone.status_code == (401 if operation.needs_key else 200)
    check(alone, operation)


def test_a_tool_that_knows_the_document_gets_no_body(client: httpx.Client) -> None:
    first = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"if-none-match": f"W/{first.headers['etag']}"})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.post("/openapi.json").headers["allow"] == "GET, HEAD"
