"""`POST /v1/images/edits`, for every kind of model and every wrong picture."""

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import new_id
from tests.openai_api.images.test_images import (
    FLUX2,
    IMG2IMG,
    INPAINTING,
    KLEIN,
    SCHNELL,
    SDXL,
    pictures,
)
from workers_ai.simulator.serve import RunningSimulator


def png(width: int = 64, height: int = 48, colour: Any = "red", mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), colour).save(out, "PNG")
    return out.getvalue()


def with_hole(width: int = 64, height: int = 48) -> bytes:
    """A picture whose left half is transparent."""
    image = Image.new("RGBA", (width, height), "red")
    image.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def edit(
    client: httpx.Client,
    model: str = IMG2IMG,
    *,
    images: list[bytes] | None = None,
    name: str = "image",
    mask: bytes | None = None,
    request_id: str = "",
    prompt: str = "a cat",
    **fields: str,
) -> httpx.Response:
    sent = images if images is not None else [png()]
    files = [(name, (f"{n}.png", data, "image/png")) for n, data in enumerate(sent)]
    if mask is not None:
        files.append(("mask", ("mask.png", mask, "image/png")))
    return client.post(
        "/images/edits",
        data={"model": model, "prompt": prompt, **fields},
        files=files,
        headers={"x-request-id": request_id or new_id()},
    )


def sent_picture(body: dict[str, Any], field: str) -> Image.Image:
    value = body[field]
    data = base64.b64decode(value) if isinstance(value, str) else bytes(value)
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_picture_is_made_of_a_picture(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    request_id = new_id()
    response = edit(client, images=[png(320, 256)], request_id=request_id, user="ada", n="2")
    assert [picture.size for picture in pictures(response)] == [(320, 256)] * 2
    body = upstream.requests[0].body
    assert set(body) == {"prompt", "width", "height", "image_b64", "strength"}
    assert sent_picture(body, "image_b64").size == (320, 256)
    assert 0 < body["strength"] < 1
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.end_reason) == (200, "image_edits", "complete")
    assert (row.images, row.user, row.attempts) == (2, "ada", 2)


def test_a_masked_part_is_painted(client: httpx.Client, upstream: RunningSimulator) -> None:
    mask = with_hole(256, 256)
    [picture] = pictures(edit(client, INPAINTING, images=[png(256, 256)], mask=mask))
    assert picture.size == (256, 256)
    body = upstream.requests[0].body
    assert set(body) == {"prompt", "width", "height", "image", "mask"}
    assert sent_picture(body, "image").size == (256, 256)
    sent = sent_picture(body, "mask")
    assert (sent.mode, sent.size) == ("L", (256, 256))
    # White where the client's mask is transparent.
    assert (sent.getpixel((10, 10)), sent.getpixel((250, 10))) == (255, 0)


def test_transparency_of_the_picture_is_a_mask(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    pictures(edit(client, INPAINTING, images=[with_hole(256, 256)]))
    sent = sent_picture(upstream.requests[0].body, "mask")
    assert (sent.getpixel((10, 10)), sent.getpixel((250, 10))) == (255, 0)


def test_a_black_and_white_mask_is_taken_as_it_is(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    mask = Image.new("L", (256, 256), 0)
    mask.paste(255, (0, 0, 128, 256))
    out = io.BytesIO()
    mask.save(out, "PNG")
    pictures(edit(client, INPAINTING, images=[png(256, 256)], mask=out.getvalue()))
    sent = sent_picture(upstream.requests[0].body, "mask")
    assert (sent.getpixel((10, 10)), sent.getpixel((250, 10))) == (255, 0)


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_several_pictures_go_to_a_model_of_references(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator, name: str
) -> None:
    request_id = new_id()
    response = edit(
        client,
        FLUX2,
        images=[png(2000, 1000), png(300, 200), png()],
        name=name,
        size="512x512",
        steps="10",
        request_id=request_id,
    )
    assert [picture.size for picture in pictures(response)] == [(512, 512)]
    body = upstream.requests[0].body
    assert list(body["files"]) == ["input_image_0", "input_image_1", "input_image_2"]
    assert {file["type"] for file in body["files"].values()} == {"image/jpeg"}
    assert body["fields"] == {"prompt": "a cat", "width": "512", "height": "512", "steps": "10"}
    row = gateway.row(request_id, timeout_s=0.5)
    assert row.images == 1
    # 0.00041 USD for the result's tile and 0.00021 for each reference's, at every step.
    assert row.cost_nano_usd == 10 * (410_000 + 3 * 210_000)


def test_a_form_may_hold_any_prompt(client: httpx.Client, upstream: RunningSimulator) -> None:
    prompt = 'a "cat"\r\nin Zürich 🐈'
    pictures(edit(client, KLEIN, prompt=prompt, seed="3", size="512x512"))
    assert upstream.requests[0].body["fields"]["prompt"] == prompt
    assert upstream.requests[0].body["fields"]["seed"] == "3"


def test_a_model_that_may_go_without_a_picture_takes_one(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    response = edit(client, SDXL, images=[png(256, 256)], strength="0.4", response_format="url")
    pictures(response)
    assert upstream.requests[0].body["strength"] == 0.4


def test_without_a_size_the_result_follows_the_picture(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    [made] = pictures(edit(client, images=[png(333, 301)]))
    assert made.size == (336, 304)
    assert sent_picture(upstream.requests[0].body, "image_b64").size == (336, 304)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([b"no picture"], "not a PNG"),
        ([b""], "empty"),
        ([png(512, 512)[:120]], "damaged"),
        ([png(8000, 5000, 1, "1")], "at most 36000000"),
        ([], "Missing"),
        ([png(), png()], "at most 1"),
        ([png()] * 17, "at most 16"),
    ],
    ids=["text", "empty", "cut", "large", "none", "two", "many"],
)
def test_a_picture_that_cannot_be_used_says_why(
    client: httpx.Client, upstream: RunningSimulator, images: list[bytes], says: str
) -> None:
    response = client.post(
        "/images/edits",
        data={"model": IMG2IMG, "prompt": "a cat"},
        files=[("image", ("a.png", data, "image/png")) for data in images] or {"x": b"x"},
    )
    assert_openai_error(response, 400, param="image", says=says)
    assert not upstream.requests


@pytest.mark.parametrize(
    ("model", "mask", "says"),
    [
        (INPAINTING, None, "transparent parts"),
        (INPAINTING, png(32, 32), "64x48"),
        (INPAINTING, png(64, 48, (255, 0, 0, 255), "RGBA"), None),
        (INPAINTING, png(64, 48, "black"), "nothing to paint"),
        (INPAINTING, b"x", "not a PNG"),
        (FLUX2, with_hole(), "takes no mask"),
    ],
    ids=["none", "other-size", "opaque", "black", "broken", "unsupported"],
)
def test_a_mask_that_cannot_be_used_says_why(
    client: httpx.Client,
    upstream: RunningSimulator,
    model: str,
    mask: bytes | None,
    says: str | None,
) -> None:
    response = edit(client, model, mask=mask)
    if says is None:  # opaque, and so read by its brightness
        assert response.status_code == 200
        return
    assert_openai_error(response, 400, param="mask", says=says)
    assert not upstream.requests


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"prompt": ""}, "prompt", "Missing"),
        ({"n": "5"}, "n", "at most 4"),
        ({"n": "two"}, "n", "an integer"),
        ({"size": "huge"}, "size", "WIDTHxHEIGHT"),
        ({"size": "64x64"}, "size", "from 256 to 2048"),
        ({"strength": "2"}, "strength", "from 0 to 1"),
        ({"response_format": "file"}, "response_format", "'b64_json', 'url'"),
        ({"stream": "true"}, "stream", "not streamed"),
        ({"model": ""}, "model", "Missing"),
        ({"model": SCHNELL}, "model", "a prompt alone"),
    ],
)
def test_a_field_that_cannot_be_used_says_why(
    client: httpx.Client, upstream: RunningSimulator, fields: dict[str, str], param: str, says: str
) -> None:
    assert_openai_error(edit(client, **fields), 400, param=param, says=says)
    assert not upstream.requests


@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp"])
def test_the_format_asked_for_is_the_format_sent(client: httpx.Client, wanted: str) -> None:
    response = edit(client, output_format=wanted)
    data = base64.b64decode(response.json()["data"][0]["b64_json"])
    assert Image.open(io.BytesIO(data)).format == wanted.upper()
    assert response.json()["output_format"] == wanted


def test_openais_fields_without_a_counterpart_are_accepted(client: httpx.Client) -> None:
    fields = {"quality": "high", "background": "auto", "output_format": "png", "user": "ada"}
    assert edit(client, input_fidelity="high", output_compression="90", **fields).status_code == 200


def in_json(*images: Any, mask: Any = None, model: str = IMG2IMG, **fields: Any) -> dict[str, Any]:
    given = {"model": model, "prompt": "a cat", "images": list(images), **fields}
    return given if mask is None else {**given, "mask": mask}


def named(data: bytes) -> dict[str, str]:
    return {"image_url": f"data:image/png;base64,{base64.b64encode(data).decode()}"}


def test_a_body_in_json_draws_what_a_form_draws(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    form = edit(client, INPAINTING, images=[png()], mask=with_hole(), strength="0.5")
    sent = upstream.requests[-1].body
    asked = in_json(named(png()), mask=named(with_hole()), model=INPAINTING, strength=0.5)
    response = client.post("/images/edits", json=asked)
    assert response.status_code == 200, response.text
    assert upstream.requests[-1].body == sent
    assert response.json()["data"] == form.json()["data"]


def test_a_body_in_json_may_have_several_pictures(client: httpx.Client) -> None:
    asked = in_json(named(png()), named(png(colour="blue")), model=KLEIN, output_format="png")
    response = client.post("/images/edits", json=asked)
    data = base64.b64decode(response.json()["data"][0]["b64_json"])
    assert Image.open(io.BytesIO(data)).format == "PNG"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": IMG2IMG, "prompt": "a cat"}, "images"),
        (in_json(), "images"),
        (in_json("x"), "images[0]"),
        (in_json({}), "images[0].image_url"),
        (in_json({"file_id": "file_1"}), "images[0].file_id"),
        (in_json({"image_url": "https://example.com/a.png"}), "images[0].image_url"),
        (in_json({"image_url": "data:image/png;base64,@@"}), "images[0].image_url"),
        (in_json({"image_url": "data:text/plain;base64,AAAA"}), "images[0].image_url"),
        (in_json({"image_url": "data:image/png;base64,AAAA"}), "image"),
        (in_json(*[named(png())] * 17), "images"),
        (in_json(named(png()), mask={"image_url": 5}), "mask.image_url"),
        (in_json(named(png()), n="two"), "n"),
    ],
)
def test_a_picture_in_json_that_cannot_be_used_is_named(
    client: httpx.Client, upstream: RunningSimulator, asked: dict[str, Any], param: str
) -> None:
    assert_openai_error(client.post("/images/edits", json=asked), 400, param=param)
    assert not upstream.requests


def test_another_body_is_told_what_is_taken(client: httpx.Client) -> None:
    response = client.post("/images/edits", content=png(), headers={"content-type": "image/png"})
    assert_openai_error(response, 415, says="multipart/form-data")


def test_a_form_that_breaks_off_is_refused(client: httpx.Client) -> None:
    response = client.post(
        "/images/edits",
        content=b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat',
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert_openai_error(response, 400, code="invalid_form", says="breaks off")


def test_a_model_that_needs_a_picture_names_this_path(client: httpx.Client) -> None:
    response = client.post("/images/generations", json={"model": IMG2IMG, "prompt": "a cat"})
    assert_openai_error(response, 400, param="model", says="Use POST /v1/images/edits")


def test_variations_are_an_unknown_path(client: httpx.Client) -> None:
    response = client.post("/images/variations", files={"image": png()})
    assert_openai_error(response, 404, code="unknown_url")
