"""Compressed request bodies: what is meant is read, and what is too much or broken is refused."""

import gzip
import json
import random
import time
import zlib
from collections.abc import Callable

import brotli
import httpx
import pytest
from backports import zstd

from openai_api.errors import ApiError, BadRequest, BodyTooLarge, WrongMediaType
from openai_api.wire.decoding import codings, decoded
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import chat_body, new_id
from workers_ai.simulator.tasks import sound

LIMIT = 1024 * 1024


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
RANDOM = random.Random(7).randbytes(300_000)


# --- One body -------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ENCODE)
@pytest.mark.parametrize("body", [b"", b"x", b"hello " * 100_000, RANDOM])
async def test_a_body_is_what_was_meant(coding: str, body: bytes) -> None:
    assert await decoded(ENCODE[coding](body), [coding], LIMIT) == body


async def test_deflate_is_taken_in_both_its_forms() -> None:
    assert await decoded(bare_deflate(b"hello"), ["deflate"], LIMIT) == b"hello"


async def test_members_behind_each_other_are_one_body() -> None:
    sent = gzip.compress(b"one ") + gzip.compress(b"two")
    assert await decoded(sent, ["gzip"], LIMIT) == b"one two"


async def test_codings_come_off_in_the_opposite_order() -> None:
    sent = gzip.compress(brotli.compress(b"hello"))
    assert await decoded(sent, codings(b"br, gzip"), LIMIT) == b"hello"


@pytest.mark.parametrize("coding", ENCODE)
async def test_the_bound_is_on_what_comes_out(coding: str) -> None:
    assert len(await decoded(ENCODE[coding](b"\0" * LIMIT), [coding], LIMIT)) == LIMIT
    bomb = ENCODE[coding](b"\0" * (LIMIT + 1))
    assert len(bomb) < LIMIT / 100
    with pytest.raises(BodyTooLarge):
        await decoded(bomb, [coding], LIMIT)


@pytest.mark.parametrize("coding", ENCODE)
async def test_a_body_that_breaks_off_or_is_another_is_told_so(coding: str) -> None:
    whole = ENCODE[coding](RANDOM)
    for broken in (whole[:-1], whole[:200], b"no such thing", b'{"model":"m"}'):
        with pytest.raises(BadRequest, match="cannot be decoded") as caught:
            await decoded(broken, [coding], LIMIT)
        assert (caught.value.status, caught.value.code) == (400, "invalid_encoding")


@pytest.mark.parametrize("coding", ENCODE)
async def test_any_bytes_are_a_body_or_an_error(coding: str) -> None:
    chance = random.Random(coding)
    whole = bytearray(ENCODE[coding](b"hello " * 5000))
    for _ in range(300):
        bent = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            bent[chance.randrange(len(bent))] = chance.randrange(256)
        try:
            assert len(await decoded(bytes(bent), [coding], LIMIT)) <= LIMIT
        except ApiError as error:
            assert error.status in (400, 413)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda n: gzip.compress(b"") * n, id="empty members"),
        pytest.param(lambda n: gzip.compress(b"x") * n, id="tiny members"),
        pytest.param(lambda n: b"\0" * 20 * n, id="nothing at all"),
    ],
)
async def test_no_body_takes_longer_for_each_byte(made: Callable[[int], bytes]) -> None:
    """Copying what is left for each member would take minutes."""
    began = time.monotonic()
    try:
        await decoded(made(400_000), ["gzip"], LIMIT)
    except ApiError as error:
        assert error.status in (400, 413)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("header", "applied"),
    [
        (b"", []),
        (b"identity", []),
        (b" GZIP ", ["gzip"]),
        (b"identity, gzip,", ["gzip"]),
        (b"deflate, br", ["deflate", "br"]),
    ],
)
def test_the_header_names_what_was_applied(header: bytes, applied: list[str]) -> None:
    assert codings(header) == applied


@pytest.mark.parametrize("header", [b"compress", b"gzip, snappy", b"gzip,gzip,gzip", b"\xff", b"*"])
def test_a_coding_that_nobody_knows_is_415_and_says_which_are(header: bytes) -> None:
    with pytest.raises(WrongMediaType) as caught:
        codings(header)
    assert caught.value.headers == {"Accept-Encoding": "gzip, deflate, br, zstd"}


# --- On every endpoint ----------------------------------------------------------------------------

CHAT = "@cf/openai/gpt-oss-20b"
MESSAGES = [{"role": "user", "content": "Hello"}]
BODIES = {
    "/chat/completions": {"model": CHAT, "messages": MESSAGES},
    "/responses": {"model": CHAT, "input": "Hello"},
    "/messages": {"model": CHAT, "max_tokens": 20, "messages": MESSAGES},
    "/messages/count_tokens": {"model": CHAT, "messages": MESSAGES},
    "/completions": {"model": CHAT, "prompt": "Hello"},
    "/embeddings": {"model": "@cf/baai/bge-m3", "input": "Hello"},
    "/moderations": {"input": "Hello"},
    "/rerank": {"model": "@cf/baai/bge-reranker-base", "query": "q", "documents": ["a", "b"]},
    "/images/generations": {"model": "@cf/black-forest-labs/flux-1-schnell", "prompt": "a cube"},
    "/audio/speech": {"model": "@cf/deepgram/aura-1", "voice": "alloy", "input": "Hello"},
}


def post(
    client: httpx.Client, path: str, body: bytes, coding: str, **headers: str
) -> httpx.Response:
    headers = {"content-type": "application/json", "content-encoding": coding} | headers
    return client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("path", BODIES)
def test_every_endpoint_takes_compressed_json(client: httpx.Client, path: str) -> None:
    body = json.dumps(BODIES[path]).encode()
    for coding in ("gzip", "zstd"):
        response = post(client, path, ENCODE[coding](body), coding)
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("coding", ENCODE)
def test_a_form_with_a_file_may_be_compressed(client: httpx.Client, coding: str) -> None:
    request = client.build_request(
        "POST",
        "/audio/transcriptions",
        data={"model": "@cf/openai/whisper"},
        files={"file": ("speech.wav", sound.wav("one two three", 4000))},
    )
    body, form = ENCODE[coding](request.read()), request.headers["content-type"]
    response = post(client, "/audio/transcriptions", body, coding, **{"content-type": form})
    assert response.status_code == 200, response.text
    assert response.json()["text"]


def test_a_stream_may_be_asked_for_in_compressed_words(client: httpx.Client) -> None:
    body = gzip.compress(json.dumps(chat_body(stream=True)).encode())
    response = post(client, "/chat/completions", body, "gzip")
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("body", "coding", "status", "code"),
    [
        (gzip.compress(b" " * (32 * 1024 * 1024 + 1)), "gzip", 413, "request_too_large"),
        (b'{"model": "m"}', "gzip", 400, "invalid_encoding"),
        (gzip.compress(b"{}" * 1000)[:-9], "gzip", 400, "invalid_encoding"),
        (gzip.compress(b""), "gzip", 400, None),
        (b"{}", "snappy", 415, "unsupported_media_type"),
    ],
    # Compressed bytes hold the time at which they were made.
    ids=["too much", "not compressed", "broken off", "nothing", "unknown"],
)
def test_what_cannot_be_read_is_told_so_and_recorded(
    client: httpx.Client,
    gateway: GatewayProcess,
    body: bytes,
    coding: str,
    status: int,
    code: str | None,
) -> None:
    for path in ("/chat/completions", "/embeddings"):
        request_id = new_id()
        response = post(client, path, body, coding, **{"x-request-id": request_id})
        assert_openai_error(response, status, code=code)
        if status == 415:
            assert response.headers["accept-encoding"] == "gzip, deflate, br, zstd"
        assert gateway.row(request_id).status == status
