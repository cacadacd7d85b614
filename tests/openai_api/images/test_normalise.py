"""What upstream sends in place of a picture, and what counts as one."""

import base64

import httpx
import orjson
import pytest

from openai_api.images.normalise import image_answer, picture_of
from openai_api.images.picture import Picture
from openai_api.use.usage import NOTHING
from openai_api.wire.picture_type import sniffed
from workers_ai.answer import Answer
from workers_ai.errors import Refused, UnusableAnswer

PNG = b"\x89PNG\r\n\x1a\n" + b"rest of a picture" * 9
JPEG = b"\xff\xd8\xff\xe0" + b"rest of a picture" * 9
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
KINDS = [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]


def answer(content: bytes, media_type: str = "application/json") -> Answer:
    return Answer(200, httpx.Headers({"content-type": media_type}), content, 1)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(("data", "media_type"), KINDS)
@pytest.mark.parametrize("declared", ["image/png", "image/jpeg", "application/json", ""])
def test_the_bytes_tell_the_type_whatever_is_declared(
    data: bytes, media_type: str, declared: str
) -> None:
    assert picture_of(answer(data, declared)) == Picture(encoded(data), media_type)


@pytest.mark.parametrize(("data", "media_type"), KINDS)
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("enveloped", [True, False])
def test_base64_in_json_is_a_picture(
    data: bytes, media_type: str, prefix: str, enveloped: bool
) -> None:
    body: object = {"image": prefix + encoded(data)}
    if enveloped:
        body = {"result": body, "success": True, "errors": [], "messages": []}
    assert picture_of(answer(orjson.dumps(body))) == Picture(encoded(data), media_type)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"no picture", "image/png"),
        (b"", "image/png"),
        (b"<html>", "text/html"),
        (b"{}", "application/json"),
        (b'{"result":{},"success":true}', "application/json"),
        (b'{"image":""}', "application/json"),
        (b'{"image":5}', "application/json"),
        (b'{"image":"!!!!"}', "application/json"),
        (b'{"image":"\xc3\xbc"}', "application/json"),
        (b'{"image":"aGVsbG8="}', "application/json"),
    ],
)
def test_what_is_no_picture_is_unusable(content: bytes, media_type: str) -> None:
    with pytest.raises(UnusableAnswer):
        picture_of(answer(content, media_type))


def test_an_error_in_json_is_refused() -> None:
    with pytest.raises(Refused):
        picture_of(answer(b'{"success":false,"errors":[{"code":3030,"message":"flagged"}]}'))


def test_text_is_no_signature() -> None:
    assert sniffed(b"RIFF....WAVE") is None


def test_the_answer_has_base64_or_a_data_url() -> None:
    picture = Picture("QUJD", "image/png")
    plain = orjson.loads(image_answer([picture], as_url=False, usage=NOTHING))
    linked = orjson.loads(image_answer([picture], as_url=True, usage=NOTHING))
    assert plain["data"] == [{"b64_json": "QUJD"}]
    assert linked["data"] == [{"url": "data:image/png;base64,QUJD"}]
    assert isinstance(plain["created"], int)
    assert "usage" not in plain
