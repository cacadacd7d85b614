from typing import Any

import pytest

from catalog.classify.by_task import classify
from catalog.classify.facts import (
    Classification,
)
from tests.catalog.entries import (
    DIFFUSION,
    MULTIPART,
    PROMPT_ONLY_PICTURES,
    Json,
    entry,
    input_of,
    usd,
)


def picture(name: str, schema: Json, **flags: Any) -> Classification:
    found = classify(entry(name, "Text-to-Image", **flags), schema)
    assert found.image is not None
    return found


def test_prompt_only_model_takes_no_field_that_its_closed_schema_lacks() -> None:
    recipe = picture("@cf/bfl/schnell", PROMPT_ONLY_PICTURES).image
    assert recipe.closed
    assert not recipe.takes_size
    assert recipe.prompt_max_length == 2048
    assert recipe.steps_field == "steps"
    assert recipe.parameters["steps"].maximum == 8


def test_a_default_told_only_in_the_description_is_found() -> None:
    assert picture("@cf/bfl/schnell", PROMPT_ONLY_PICTURES).image.default_steps == 4


def test_diffusion_model_makes_and_edits_pictures() -> None:
    found = picture("@cf/stability/sdxl", DIFFUSION)
    assert found.endpoints == {"images", "image_edits"}
    assert found.image.takes_image and not found.image.needs_image
    assert found.image.image_fields == ("image_b64", "image")
    assert found.image.steps_field == "num_steps"
    assert found.image.parameters["width"].minimum == 256


@pytest.mark.parametrize(
    ("suffix", "needs_mask", "reason"),
    [
        ("-img2img", False, "it needs an input image (image to image)"),
        ("-inpainting", True, "it needs an input image and a mask (inpainting)"),
    ],
)
@pytest.mark.parametrize("schema", [DIFFUSION, {}], ids=["schema", "no schema"])
def test_a_suffix_tells_that_a_picture_is_needed(
    suffix: str, needs_mask: bool, reason: str, schema: Json
) -> None:
    found = picture(f"@cf/runwayml/stable-diffusion-v1-5{suffix}", schema)
    assert found.endpoints == {"image_edits"}
    assert found.refusals["images"] == reason
    assert found.image.needs_mask is needs_mask


def test_a_required_input_picture_is_seen_without_any_suffix() -> None:
    schema = {"input": {**DIFFUSION["input"], "required": ["prompt", "image"]}}
    assert picture("@cf/a/upscaler", schema).endpoints == {"image_edits"}


def test_a_picture_model_without_a_prompt_makes_no_pictures() -> None:
    found = classify(entry("@cf/a/upscale", "Text-to-Image"), input_of(image={"type": "string"}))
    assert found.endpoints == frozenset()
    assert found.refusals["images"] == "it takes no prompt"


def test_multipart_model_is_found_in_a_malformed_schema() -> None:
    recipe = picture("@cf/bfl/flux-2", MULTIPART).image
    assert recipe.transport == "multipart"
    assert (recipe.parameters["width"].minimum, recipe.parameters["width"].maximum) == (256, 1920)
    assert recipe.max_input_images == 4


def test_multipart_model_takes_steps_only_when_it_charges_for_them() -> None:
    price = [usd(0.0004, "per output 512x512 tile, per step")]
    assert picture("@cf/bfl/dev", MULTIPART, price=price).image.steps_field == "steps"
    assert picture("@cf/bfl/klein", MULTIPART).image.steps_field is None


def test_without_a_schema_a_picture_model_is_sent_the_prompt_alone() -> None:
    recipe = picture("@cf/a/new", {}).image
    assert recipe.closed and not recipe.parameters
