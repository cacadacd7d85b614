"""Forms as clients send them, and everything that can be wrong with one."""

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_api.errors import ApiError, BadRequest, BodyTooLarge
from openai_api.wire.declared import Array, Boolean, Number, WholeNumber, declared
from openai_api.wire.multipart import SLICE_BYTES, Form, form_body, read_form

BOUNDARY = b"limit"


class Incoming:
    """A request with this body, as the handler gives it to an endpoint."""

    request_id = "test"
    client_ip = "127.0.0.1"
    client_gone = False

    def __init__(self, headers: dict[bytes, bytes], content: bytes) -> None:
        self.raw_headers = headers
        self.content = content

    async def read_body(self, limit_bytes: int) -> bytes:
        if len(self.content) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        return self.content

    def watch_client(self) -> None:
        raise AssertionError("the pipeline does that")


async def sent(**encoding: Any) -> Form:
    """What arrives of a form that httpx encodes, as OpenAI's SDK has it do."""
    request = httpx.Request("POST", "http://gateway/v1/audio", **encoding)
    headers = {name.lower(): value for name, value in request.headers.raw}
    return await form_body(Incoming(headers, request.read()))


def part(disposition: str, content: str = "x") -> str:
    return f"--limit\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n"


async def refused(body: str | bytes) -> ApiError:
    with pytest.raises(BadRequest) as caught:
        await read_form(BOUNDARY, body.encode() if isinstance(body, str) else body)
    return caught.value


async def test_fields_and_files_arrive() -> None:
    content = bytes(range(256)) * 10
    form = await sent(
        data={"model": "@cf/a/b", "prompt": "Zürich 🐈\r\n--limit"},
        files={"file": ("Zürich.mp3", content, "audio/mpeg")},
    )
    assert form.body({}) == {"model": "@cf/a/b", "prompt": "Zürich 🐈\r\n--limit"}
    upload = form.upload("file")
    assert (upload.filename, upload.media_type, upload.data) == (
        "Zürich.mp3",
        "audio/mpeg",
        content,
    )


async def test_a_file_larger_than_one_slice_arrives_whole() -> None:
    content = b"\r\n--limit" * (SLICE_BYTES // 4)
    form = await sent(files={"file": ("a.wav", content, "audio/wav")})
    assert form.upload("file").data == content


@pytest.mark.parametrize("name", ["image", "image[]", "image[{}]"])
async def test_a_repeated_or_numbered_name_is_a_list(name: str) -> None:
    files = [(name.format(n), (f"{n}.png", bytes([n + 1]), "image/png")) for n in range(3)]
    form = await sent(files=files)
    assert [upload.data for upload in form.uploads("image", most=3)] == [b"\1", b"\2", b"\3"]


class Fields:
    n = WholeNumber()
    seed = WholeNumber()
    guidance = Number()
    temperature = Number()
    stream = Boolean()
    granularities = Array()


async def test_text_becomes_what_the_endpoint_means_it_to_be() -> None:
    form = await sent(
        data={
            "n": "2",
            "guidance": "7.5",
            "stream": "false",
            "granularities[]": ["word", "segment"],
            "user": "",
            "seed": "many",
            "temperature": "nan",
        },
        files={"file": b"x"},
    )
    assert form.body(declared(Fields)) == {
        "n": 2,
        "guidance": 7.5,
        "stream": False,
        "granularities": ["word", "segment"],
        "seed": "many",
        "temperature": "nan",
    }


async def test_one_value_sent_twice_is_refused() -> None:
    form = await sent(data={"model": ["a", "b"]}, files={"file": b"x"})
    with pytest.raises(BadRequest, match="sent 2 times") as caught:
        form.body({})
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("encoding", "code", "says"),
    [
        ({"files": {"other": b"x"}}, "missing_required_parameter", "'file'"),
        ({"files": {"file": b"x", "n": (None, "1")}}, None, ""),
        ({"files": {"file": (None, "text")}}, "invalid_type", "expected a file"),
        ({"files": {"file": b""}}, "invalid_value", "is empty"),
        ({"files": [("file", b"x"), ("file", b"y")]}, "invalid_value", "at most 1"),
    ],
)
async def test_the_one_file_must_be_one(
    encoding: dict[str, Any], code: str | None, says: str
) -> None:
    form = await sent(**encoding)
    if code is None:
        assert form.upload("file").data == b"x"
        return
    with pytest.raises(BadRequest, match=says) as caught:
        form.upload("file")
    assert (caught.value.param, caught.value.code) == ("file", code)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "name that in 'Content-Type'"),
        ({b"content-type": b"application/json"}, "not 'application/json'"),
        ({b"content-type": b"application/x-www-form-urlencoded"}, "multipart/form-data"),
    ],
)
async def test_another_media_type_is_415(headers: dict[bytes, bytes], says: str) -> None:
    with pytest.raises(ApiError, match=says) as caught:
        await form_body(Incoming(headers, b"{}"))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=" + b"a" * 300,
    ],
)
async def test_a_boundary_is_needed(content_type: bytes) -> None:
    with pytest.raises(BadRequest, match="boundary"):
        await form_body(Incoming({b"content-type": content_type}, b"x"))


async def test_a_body_over_the_limit_is_413() -> None:
    headers = {b"content-type": b"multipart/form-data; boundary=limit"}
    with pytest.raises(ApiError) as caught:
        await form_body(Incoming(headers, bytes(33 * 1024 * 1024)))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "body is empty"),
        ("no form", "cannot be read"),
        (part('form-data; name="a"'), "breaks off"),
        (part("form-data") + "--limit--\r\n", "no name"),
        ("--limit\r\n\r\nx\r\n--limit--\r\n", "no name"),
        ("--limit\r\nno header\r\n\r\nx\r\n--limit--\r\n", "cannot be read"),
        (part('form-data; name="a"') * 201 + "--limit--\r\n", "more than 200 parts"),
        (part('form-data; name="a"').encode() + part('form-data; name="b"').encode()[:-3] +
         b"\xff\xfe\r\n--limit--\r\n", "not UTF-8"),
    ],
)  # fmt: skip
async def test_what_is_no_form_says_why(body: str | bytes, says: str) -> None:
    error = await refused(body)
    assert says in error.message


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [b"--limit", b"--", b"\r\n", b"Content-Disposition: form-data; ", b'name="', b'a"',
             b"; filename*=utf-8''%zz", b"Content-Type: x", b"\0", b"\xff", b":"]
        ),
        max_size=30,
    ).map(b"".join)
)  # fmt: skip
async def test_no_bytes_crash_the_reader(body: bytes) -> None:
    try:
        form = await read_form(BOUNDARY, body)
        form.body({})
    except BadRequest:
        pass
