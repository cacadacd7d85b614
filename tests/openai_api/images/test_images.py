"""`POST /v1/images/generations`, for every kind of model and every wrong wish."""

import base64
import io
import time
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import new_id
from workers_ai.simulator.serve import RunningSimulator

SCHNELL = "@cf/black-forest-labs/flux-1-schnell"  # JSON in, base64 in JSON out, closed schema
PHOENIX = "@cf/leonardo/phoenix-1.0"  # JSON in, raw JPEG out
SDXL = "@cf/bytedance/stable-diffusion-xl-lightning"  # JSON in, raw PNG out
FLUX2 = "@cf/black-forest-labs/flux-2-dev"  # multipart in, base64 in JSON out
KLEIN = "@cf/black-forest-labs/flux-2-klein-4b"  # multipart in, steps fixed
IMG2IMG = "@cf/runwayml/stable-diffusion-v1-5-img2img"
INPAINTING = "@cf/runwayml/stable-diffusion-v1-5-inpainting"


def draw(
    client: httpx.Client,
    model: str | None = PHOENIX,
    *,
    request_id: str = "",
    prompt: str = "a cat",
    **fields: Any,
) -> httpx.Response:
    body = {"prompt": prompt, **fields} | ({"model": model} if model else {})
    return client.post(
        "/images/generations", json=body, headers={"x-request-id": request_id or new_id()}
    )


def pictures(response: httpx.Response) -> list[Image.Image]:
    assert response.status_code == 200, response.text
    body = response.json()
    assert abs(body["created"] - time.time()) < 60
    opened = []
    for item in body["data"]:
        [(kind, text)] = item.items()
        if kind == "url":
            head, _, text = text.partition(";base64,")
            data = base64.b64decode(text, validate=True)
            picture = Image.open(io.BytesIO(data))
            assert head == f"data:image/{str(picture.format).lower()}"
        else:
            assert kind == "b64_json"
            picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        picture.load()
        opened.append(picture)
    return opened


@pytest.mark.parametrize("model", [SCHNELL, PHOENIX, SDXL, FLUX2, KLEIN])
def test_every_kind_of_model_gives_a_picture_that_opens(client: httpx.Client, model: str) -> None:
    [picture] = pictures(draw(client, model))
    assert picture.width >= 512


@pytest.mark.parametrize("model", [SCHNELL, PHOENIX, SDXL, FLUX2])
def test_a_url_is_a_data_url_of_the_pictures_real_type(client: httpx.Client, model: str) -> None:
    [picture] = pictures(draw(client, model, response_format="url"))
    assert picture.format in ("PNG", "JPEG")


@pytest.mark.parametrize("model", [PHOENIX, SDXL])
def test_a_lying_content_type_does_not_reach_the_client(client: httpx.Client, model: str) -> None:
    prompt = "a cat [simulate lying-content-type]"
    pictures(draw(client, model, prompt=prompt, response_format="url"))


@pytest.mark.parametrize("model", [SCHNELL, PHOENIX, SDXL])
@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp"])
def test_the_format_asked_for_is_the_format_sent(
    client: httpx.Client, model: str, wanted: str
) -> None:
    response = draw(client, model, output_format=wanted)
    [picture] = pictures(response)
    assert str(picture.format).lower() == wanted
    assert response.json()["output_format"] == wanted
    assert response.json()["size"] == f"{picture.width}x{picture.height}"


@pytest.mark.parametrize(("model", "own"), [(PHOENIX, "jpeg"), (SDXL, "png")])
def test_without_a_format_the_answer_tells_the_models_own(
    client: httpx.Client, model: str, own: str
) -> None:
    response = draw(client, model, response_format="url")
    [picture] = pictures(response)
    assert response.json()["output_format"] == own == str(picture.format).lower()


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_more_compression_makes_a_smaller_picture(client: httpx.Client, wanted: str) -> None:
    fine, coarse = (
        draw(client, PHOENIX, output_format=wanted, output_compression=percent, seed=4)
        for percent in (100, 10)
    )
    assert pictures(coarse)[0].size == pictures(fine)[0].size
    assert len(coarse.content) < len(fine.content)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": 5}, "output_format"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
    ],
)
def test_a_format_that_is_none_is_refused(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    assert_openai_error(draw(client, **fields), 400, param=param)


def test_a_data_prefix_in_upstreams_json_is_not_doubled(client: httpx.Client) -> None:
    prompt = "a cat [simulate data-uri-image]"
    pictures(draw(client, SCHNELL, prompt=prompt, response_format="url"))


@pytest.mark.parametrize("model", [PHOENIX, SDXL, FLUX2])
def test_the_size_asked_for_is_the_size_drawn(client: httpx.Client, model: str) -> None:
    [picture] = pictures(draw(client, model, size="640x512"))
    assert picture.size == (640, 512)


def test_the_default_size_is_the_settings(tuned_client: httpx.Client) -> None:
    [picture] = pictures(draw(tuned_client, SDXL))
    assert picture.size == (512, 256)


def test_the_default_model_is_the_settings(
    tuned_gateway: GatewayProcess, tuned_client: httpx.Client
) -> None:
    request_id = new_id()
    pictures(draw(tuned_client, None, request_id=request_id))
    assert tuned_gateway.row(request_id).model == PHOENIX


def test_without_a_default_a_model_must_be_named(client: httpx.Client) -> None:
    assert_openai_error(draw(client, None), 400, code="missing_required_parameter", param="model")


def test_n_pictures_are_drawn_side_by_side(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("slow", seconds=0.3)
    assert len(pictures(draw(client, n=4))) == 4
    assert len(upstream.requests) == 4
    last_start = max(request.started_at for request in upstream.requests)
    first_end = min(r.started_at + (r.seconds or 0) for r in upstream.requests)
    assert last_start < first_end


def test_pictures_of_one_request_take_seeds_in_a_row(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    draw(client, n=3, seed=41)
    assert sorted(request.body["seed"] for request in upstream.requests) == [41, 42, 43]


@pytest.mark.parametrize("field", ["n", "batch_size"])
def test_more_pictures_than_allowed_are_refused(
    client: httpx.Client, upstream: RunningSimulator, field: str
) -> None:
    assert_openai_error(draw(client, **{field: 5}), 400, param=field, says="at most 4")
    assert not upstream.requests


def test_the_settings_limit_of_pictures_counts(tuned_client: httpx.Client) -> None:
    assert_openai_error(draw(tuned_client, n=3), 400, param="n", says="at most 2")


def test_all_pictures_or_none(
    gateway: GatewayProcess, client: httpx.Client, upstream: RunningSimulator
) -> None:
    upstream.set_scenario("error-3030", times=1)
    request_id = new_id()
    response = draw(client, n=3, request_id=request_id)
    assert_openai_error(response, 400, code="content_policy_violation")
    row = gateway.row(request_id)
    assert (row.status, row.images, row.usage_source) == (400, 2, "partial")
    assert row.cost_nano_usd


def test_a_picture_has_its_row(gateway: GatewayProcess, client: httpx.Client) -> None:
    request_id = new_id()
    draw(client, n=2, size="1024x1024", steps=10, user="ada", request_id=request_id)
    row = gateway.row(request_id, timeout_s=0.5)
    assert (row.status, row.endpoint, row.end_reason) == (200, "images", "complete")
    assert (row.images, row.user, row.stream) == (2, "ada", False)
    # 0.0058 USD for each of four tiles and 0.00011 for each step, twice.
    assert row.cost_nano_usd == 2 * (4 * 5_800_000 + 10 * 110_000)


@pytest.mark.parametrize(("model", "says"), [(IMG2IMG, "input image"), (INPAINTING, "mask")])
def test_models_that_need_an_image_say_so(
    client: httpx.Client, upstream: RunningSimulator, model: str, says: str
) -> None:
    assert_openai_error(
        draw(client, model), 400, code="model_not_supported", param="model", says=says
    )
    assert not upstream.requests


@pytest.mark.parametrize(
    ("model", "size"), [(PHOENIX, "4096x1024"), (FLUX2, "128x512"), (SDXL, "512x4096")]
)
def test_a_size_beyond_the_models_limits_is_refused(
    client: httpx.Client, upstream: RunningSimulator, model: str, size: str
) -> None:
    assert_openai_error(draw(client, model, size=size), 400, param="size", says="pixels")
    assert not upstream.requests


def test_a_prompt_beyond_the_models_limit_is_refused(client: httpx.Client) -> None:
    response = draw(client, SCHNELL, prompt="x" * 2049)
    assert_openai_error(response, 400, param="prompt", says="2048")


def test_a_prompt_that_upstream_finds_too_long_is_named(client: httpx.Client) -> None:
    response = draw(client, prompt="a cat [simulate error-3010]")
    assert_openai_error(response, 400, code="context_length_exceeded", param="prompt")


@pytest.mark.parametrize(("field", "value"), [("steps", 999), ("guidance", 99)])
def test_a_number_beyond_the_models_limits_is_refused(
    client: httpx.Client, field: str, value: int
) -> None:
    assert_openai_error(draw(client, **{field: value}), 400, param=field)


def test_openais_fields_without_a_counterpart_are_accepted(client: httpx.Client) -> None:
    fields = {
        "quality": "hd",
        "style": "vivid",
        "background": "auto",
        "output_format": "png",
        "moderation": "low",
        "user": "ada",
    }
    for model in (SCHNELL, FLUX2):
        assert draw(client, model, **fields).status_code == 200


def test_cherry_studios_names_are_understood(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    response = draw(
        client,
        image_size="512x768",
        batch_size=2,
        num_inference_steps=7,
        guidance_scale=3.5,
        negative_prompt="dogs",
    )
    assert [picture.size for picture in pictures(response)] == [(512, 768)] * 2
    assert upstream.requests[0].body == {
        "prompt": "a cat",
        "width": 512,
        "height": 768,
        "num_steps": 7,
        "guidance": 3.5,
        "negative_prompt": "dogs",
    }


def test_a_closed_schema_gets_listed_fields_only(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    fields = {"size": "512x512", "seed": 3, "negative_prompt": "dogs", "steps": 4, "guidance": 3}
    assert draw(client, SCHNELL, **fields).status_code == 200
    assert upstream.requests[0].body == {"prompt": "a cat", "steps": 4}


def test_a_multipart_model_gets_a_form(client: httpx.Client, upstream: RunningSimulator) -> None:
    prompt = 'a "cat"\r\nin Zürich 🐈'
    assert draw(client, FLUX2, prompt=prompt, size="512x512", seed=3, steps=9).status_code == 200
    assert upstream.requests[0].body == {
        "fields": {"prompt": prompt, "width": "512", "height": "512", "seed": "3", "steps": "9"},
        "files": {},
    }


def test_a_model_of_fixed_steps_gets_none(client: httpx.Client, upstream: RunningSimulator) -> None:
    assert draw(client, KLEIN, steps=9).status_code == 200
    assert "steps" not in upstream.requests[0].body["fields"]


@pytest.mark.parametrize("scenario", ["error-as-json", "html-502"])
def test_an_error_in_place_of_bytes_is_an_error(client: httpx.Client, scenario: str) -> None:
    response = draw(client, prompt=f"a cat [simulate {scenario}]")
    assert_openai_error(response, 502, code="upstream_error")


def test_a_picture_that_upstream_may_have_drawn_is_not_drawn_again(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    response = draw(client, prompt="a cat [simulate drop]")
    assert_openai_error(response, 502, code="upstream_unreachable")
    assert len(upstream.requests) == 1


def test_a_busy_model_is_asked_again(client: httpx.Client, upstream: RunningSimulator) -> None:
    upstream.set_scenario("error-3040", times=1)
    assert draw(client).status_code == 200
    assert len(upstream.requests) == 2


def test_hanging_up_cancels_every_picture(
    gateway: GatewayProcess, upstream: RunningSimulator, key: str
) -> None:
    upstream.set_scenario("hang")
    request_id = new_id()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            gateway.url + "/v1/images/generations",
            json={"model": PHOENIX, "prompt": "a cat", "n": 3},
            headers={"authorization": f"Bearer {key}", "x-request-id": request_id},
            timeout=1.2,
        )
    gateway.wait_until(
        lambda: [r.ended for r in upstream.requests] == ["client_closed"] * 3, "closed", 5
    )
    assert gateway.row(request_id).end_reason == "client_gone"


@pytest.mark.parametrize("name", ["image", "images", "image_url", "init_image", "mask"])
@pytest.mark.parametrize("model", [SCHNELL, KLEIN])
def test_a_picture_to_begin_with_is_refused_and_not_passed_over(
    client: httpx.Client, upstream: RunningSimulator, name: str, model: str
) -> None:
    body = {"model": model, "prompt": "a cat", name: "data:image/png;base64,AAAA"}
    response = client.post("/images/generations", json=body)
    assert_openai_error(response, 400, param=name, says="/v1/images/edits")
    assert not upstream.requests
    assert client.post("/images/generations", json={**body, name: None}).status_code == 200
