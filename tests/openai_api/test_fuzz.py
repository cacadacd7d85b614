"""Whatever JSON comes, no endpoint answers with a fault of its own."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.openai_api.chats import LEGACY, OPENAI, VLLM
from workers_ai.simulator.serve import RunningSimulator

NUMBERS = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31, 2**53, 2**63, 2**64, 10**30, -(2**63) - 1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])


def objects(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, mostly of the right kind."""
    mostly = {name: st.one_of(one, one, one, one, JSON) for name, one in fields.items()}
    return st.fixed_dictionaries({}, optional=mostly)


def with_(required: dict[str, Any], **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Such objects with these fields besides, always there and of the right kind."""
    return st.builds(lambda a, b: {**a, **b}, objects(**fields), st.fixed_dictionaries(required))


TEXTS = st.sampled_from(["hi", "", "get_weather"])
FUNCTION = with_(
    {"name": st.just("f")},
    description=TEXTS,
    arguments=TEXTS,
    parameters=objects(
        type=TEXTS, properties=st.dictionaries(TEXTS, objects(type=TEXTS, anyOf=st.lists(JSON)))
    ),
)
PART = with_(
    {
        "type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal"]),
        "text": TEXTS,
    },
    image_url=objects(url=st.sampled_from(["data:image/png;base64,AAAA", "https://[", "x"])),
)
MESSAGE = with_(
    {"role": ROLES, "content": TEXTS | st.lists(PART, max_size=2)},
    tool_calls=st.lists(objects(id=TEXTS, function=FUNCTION), max_size=2),
    tool_call_id=TEXTS,
    function_call=FUNCTION,
    reasoning_content=TEXTS,
    name=TEXTS,
)
CHAT = with_(
    {"messages": st.lists(MESSAGE, min_size=1, max_size=3)},
    tools=st.lists(objects(type=st.just("function"), function=FUNCTION), max_size=2),
    functions=st.lists(FUNCTION, max_size=2),
    function_call=FUNCTION,
    tool_choice=st.sampled_from(["auto", "none", "required"]) | objects(function=FUNCTION),
    response_format=objects(
        type=st.sampled_from(["text", "json_object", "json_schema"]),
        json_schema=objects(name=TEXTS, schema=JSON),
    ),
    stop=TEXTS | st.lists(TEXTS),
    stream_options=objects(include_usage=st.booleans()),
    reasoning_effort=TEXTS,
    chat_template_kwargs=JSON,
    logit_bias=JSON,
    user=TEXTS,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    n=st.integers(1, 3),
    **dict.fromkeys(["max_tokens", "max_completion_tokens", "top_k", "seed"], NUMBERS),
)
IMAGE = objects(
    prompt=TEXTS,
    size=st.sampled_from(["512x512", "auto", "1x1", "99999x1", "256*256"]),
    image_size=TEXTS,
    response_format=st.sampled_from(["url", "b64_json"]),
    **dict.fromkeys(["n", "batch_size", "seed", "steps", "guidance", "guidance_scale"], NUMBERS),
)
EMBEDDINGS = objects(
    input=TEXTS | st.lists(TEXTS | NUMBERS | st.lists(NUMBERS, max_size=2), max_size=3),
    encoding_format=st.sampled_from(["float", "base64"]),
    dimensions=NUMBERS,
    pooling=TEXTS,
    user=TEXTS,
)
COMPLETIONS = objects(
    prompt=TEXTS | st.lists(TEXTS | NUMBERS | st.lists(NUMBERS, max_size=2), max_size=3),
    suffix=TEXTS,
    stop=TEXTS | st.lists(TEXTS),
    stream_options=objects(include_usage=st.booleans()),
    logit_bias=JSON,
    **dict.fromkeys(["n", "best_of", "logprobs", "max_tokens", "seed", "temperature"], NUMBERS),
    **dict.fromkeys(["echo", "stream"], st.booleans()),
)
MODERATIONS = objects(input=TEXTS | st.lists(TEXTS | PART, max_size=3), user=TEXTS)
RERANK = objects(
    query=TEXTS,
    documents=st.lists(TEXTS | objects(text=TEXTS), max_size=3),
    top_n=NUMBERS,
    return_documents=st.booleans(),
)
INPUT_PART = with_(
    {
        "type": st.sampled_from(["input_text", "output_text", "input_image", "input_file"]),
        "text": TEXTS,
    },
    image_url=st.sampled_from(["data:image/png;base64,AAAA", "https://[", "x"]),
    file_data=TEXTS,
)
ITEM = with_(
    {
        "type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning"]),
        "content": TEXTS | st.lists(INPUT_PART, max_size=2),
        "call_id": st.just("c"),
    },
    role=ROLES,
    name=st.just("f"),
    arguments=TEXTS,
    output=TEXTS | st.lists(INPUT_PART, max_size=2),
    summary=st.lists(objects(text=TEXTS), max_size=2),
)
RESPONSE = with_(
    {"input": TEXTS | st.lists(ITEM, min_size=1, max_size=4)},
    tools=st.lists(with_({"type": st.just("function"), "name": st.just("f")}, parameters=JSON)),
    tool_choice=st.sampled_from(["auto", "required"])
    | objects(type=st.just("allowed_tools"), tools=st.lists(objects(name=st.just("f")))),
    text=objects(
        format=objects(type=st.just("json_schema"), name=st.just("n"), schema=objects(a=JSON))
    ),
    reasoning=objects(effort=st.just("low"), summary=st.just("auto")),
    truncation=st.sampled_from(["auto", "disabled"]),
    include=st.lists(TEXTS),
    metadata=JSON,
    stream=st.booleans(),
    **dict.fromkeys(["max_output_tokens", "top_logprobs", "temperature", "seed"], NUMBERS),
)
SOURCE = with_(
    {"type": st.sampled_from(["base64", "url", "text", "content"])},
    media_type=st.just("image/png"),
    data=st.just("AAAA"),
    url=st.just("https://["),
    content=TEXTS,
)
BLOCK = with_(
    {
        "type": st.sampled_from(
            ["text", "image", "document", "tool_use", "tool_result", "thinking", "search_result"]
        ),
        "text": TEXTS,
        "id": st.just("t"),
        "tool_use_id": st.just("t"),
    },
    source=SOURCE,
    thinking=TEXTS,
    name=st.just("f"),
    input=objects(a=JSON),
    content=TEXTS | st.lists(objects(type=st.just("text"), text=TEXTS), max_size=2),
)
MESSAGES = with_(
    {
        "messages": st.lists(
            with_(
                {"role": st.sampled_from(["user", "assistant"])},
                content=TEXTS | st.lists(BLOCK, max_size=3),
            ),
            min_size=1,
            max_size=4,
        ),
        "max_tokens": st.integers(1, 9),
    },
    system=TEXTS | st.lists(objects(type=st.just("text"), text=TEXTS)),
    tools=st.lists(with_({"name": st.just("f"), "input_schema": objects(properties=JSON)})),
    tool_choice=objects(type=st.sampled_from(["auto", "any", "tool"]), name=st.just("f")),
    thinking=objects(type=st.just("enabled"), budget_tokens=NUMBERS),
    output_config=objects(effort=TEXTS, format=JSON),
    stop_sequences=st.lists(TEXTS),
    metadata=JSON,
    stream=st.booleans(),
)
SPEECH = objects(
    voice=st.sampled_from(["alloy", "luna", "en", ""]),
    response_format=st.sampled_from(["mp3", "pcm", "opus"]),
    stream_format=st.sampled_from(["audio", "sse"]),
    speed=NUMBERS,
    instructions=TEXTS,
)
FORM = objects(
    language=st.sampled_from(["en", "xx", "multi", "de-DE"]),
    response_format=st.sampled_from(["json", "text", "srt", "vtt", "verbose_json"]),
    timestamp_granularities=st.lists(st.sampled_from(["word", "segment", "x"]), max_size=2),
    stream=st.booleans(),
    temperature=NUMBERS,
    prompt=TEXTS,
    keywords=TEXTS,
)
RECORDINGS = st.sampled_from([b"RIFF0000WAVEfmt ", b"OggS", b"ID3", b"\xff\xfb\x90\x00", b"{}"])
MODELS = {
    "/chat/completions": [OPENAI, LEGACY, VLLM, "@cf/meta/llama-3.2-11b-vision-instruct"],
    "/images/generations": [
        "@cf/leonardo/phoenix-1.0",
        "@cf/black-forest-labs/flux-1-schnell",
        "@cf/black-forest-labs/flux-2-klein-4b",
    ],
    "/embeddings": ["@cf/baai/bge-m3", "@cf/qwen/qwen3-embedding-0.6b"],
    "/completions": [OPENAI, LEGACY],
    "/moderations": ["omni-moderation-latest"],
    "/rerank": ["@cf/baai/bge-reranker-base"],
    "/audio/speech": ["@cf/deepgram/aura-1", "@cf/myshell-ai/melotts"],
}

FUZZING = settings(max_examples=30)
# Where chat's own fuzzing has been through most of the way already.
BRIEF_FUZZING = settings(FUZZING, max_examples=12)
CHATTING = st.sampled_from([OPENAI, LEGACY, VLLM])


def assert_no_fault(client: httpx.Client, path: str, body: Any) -> None:
    response = client.post(path, content=json.dumps(body))
    assert response.status_code < 500, f"{response.text} for {body}"


@pytest.mark.parametrize("path", MODELS)
@FUZZING
@given(body=st.dictionaries(st.text(max_size=8), JSON) | JSON)
def test_any_json_gets_an_answer(client: httpx.Client, path: str, body: Any) -> None:
    assert_no_fault(client, path, body)


@FUZZING
@given(body=CHAT, model=st.sampled_from(MODELS["/chat/completions"]))
def test_chat_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, body: dict[str, Any], model: str
) -> None:
    assert_no_fault(client, "/chat/completions", {**body, "model": model})


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("/completions", COMPLETIONS),
        ("/embeddings", EMBEDDINGS),
        ("/moderations", MODERATIONS),
        ("/rerank", RERANK),
    ],
)
@BRIEF_FUZZING
@given(data=st.data())
def test_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, path: str, bodies: Any, data: st.DataObject
) -> None:
    body = data.draw(bodies)
    assert_no_fault(client, path, {**body, "model": data.draw(st.sampled_from(MODELS[path]))})


@BRIEF_FUZZING
@given(body=RESPONSE, model=CHATTING)
def test_response_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, body: dict[str, Any], model: str
) -> None:
    assert_no_fault(client, "/responses", {**body, "model": model})


@BRIEF_FUZZING
@given(body=MESSAGES, model=CHATTING)
def test_message_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, body: dict[str, Any], model: str
) -> None:
    assert_no_fault(client, "/messages", {**body, "model": model})


@FUZZING
@given(body=IMAGE, model=st.sampled_from(MODELS["/images/generations"]))
def test_image_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, body: dict[str, Any], model: str
) -> None:
    # Without a prompt nothing is drawn, which would take the time that the fuzzing has.
    assert_no_fault(client, "/images/generations", {**body, "model": model, "n": 5})


@BRIEF_FUZZING
@given(body=SPEECH, model=st.sampled_from(MODELS["/audio/speech"]), text=TEXTS | JSON)
def test_speech_fields_of_any_kind_get_an_answer(
    client: httpx.Client, upstream: RunningSimulator, body: dict[str, Any], model: str, text: Any
) -> None:
    assert_no_fault(client, "/audio/speech", {**body, "model": model, "input": text})


FORM_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": TEXTS,
        "size": st.sampled_from(["512x512", "auto", "1x1", "99999x1"]),
        "response_format": st.sampled_from(["url", "b64_json", ""]),
        **dict.fromkeys(["n", "seed", "steps", "strength", "stream", "made_up"], NUMBERS.map(str)),
    },
)
FILES = st.lists(
    st.tuples(
        st.sampled_from(["image", "image[]", "mask", "prompt", "model"]),
        st.sampled_from([b"", b"x", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0"]),
    ),
    max_size=4,
)


@BRIEF_FUZZING
@given(
    fields=FORM_FIELDS,
    files=FILES,
    model=st.sampled_from(
        ["@cf/runwayml/stable-diffusion-v1-5-img2img", "@cf/black-forest-labs/flux-2-klein-4b"]
    ),
)
def test_forms_of_any_kind_get_an_answer(
    client: httpx.Client,
    upstream: RunningSimulator,
    fields: dict[str, str],
    files: list[tuple[str, bytes]],
    model: str,
) -> None:
    sent = [(name, ("file", data)) for name, data in files]
    response = client.post("/images/edits", data={**fields, "model": model}, files=sent or None)
    assert response.status_code < 500, response.text


@BRIEF_FUZZING
@given(
    form=FORM,
    model=st.sampled_from(
        ["@cf/openai/whisper", "@cf/openai/whisper-large-v3-turbo", "@cf/deepgram/nova-3"]
    ),
    start=RECORDINGS,
    rest=st.binary(max_size=60),
)
def test_recordings_and_forms_of_any_kind_get_an_answer(
    client: httpx.Client,
    upstream: RunningSimulator,
    form: dict[str, Any],
    model: str,
    start: bytes,
    rest: bytes,
) -> None:
    data = {
        name: [str(item) for item in value] if isinstance(value, list) else str(value)
        for name, value in form.items()
    }
    for path in ("/audio/transcriptions", "/audio/translations"):
        response = client.post(
            path, data={**data, "model": model}, files={"file": ("x", start + rest)}
        )
        assert response.status_code < 500, f"{response.text} for {form}"
