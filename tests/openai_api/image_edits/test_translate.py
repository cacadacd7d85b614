"""Sizes of results and of the pictures that are sent in."""

import pytest

from catalog.classify.facts import ImageRecipe, Parameter
from catalog.snapshot import ModelRecord
from openai_api.image_edits.pictures import Seen
from openai_api.image_edits.request import EditRequest
from openai_api.image_edits.translate import EditPlan, translate
from openai_api.images.request import ImageRequest
from openai_api.wire.multipart import Upload

SIDE = Parameter("integer", minimum=256, maximum=2048)
IMG2IMG = ImageRecipe(
    parameters={"width": SIDE, "height": SIDE, "strength": Parameter("number")},
    takes_image=True,
    needs_image=True,
    image_fields=("image_b64", "image"),
    max_input_images=1,
)
REFERENCES = ImageRecipe(
    transport="multipart",
    parameters={"width": SIDE, "height": SIDE},
    takes_image=True,
    image_fields=("input_image_0", "input_image_1"),
    max_input_images=2,
)


def plan(
    recipe: ImageRecipe, *sizes: tuple[int, int], size: tuple[int, int] | None = None
) -> EditPlan:
    asked = EditRequest(
        ImageRequest(model="m", prompt="a cat", size=size),
        [Upload("a.png", "image/png", b"x")] * len(sizes),
        seen=tuple(Seen(*one, has_alpha=False) for one in sizes),
    )
    return translate(asked, ModelRecord("m", image=recipe), default_size=(1024, 768))


@pytest.mark.parametrize(
    ("picture", "result"),
    [
        ((3000, 1500), (1024, 512)),
        ((1024, 1024), (1024, 1024)),
        ((64, 48), (344, 256)),
        ((501, 333), (504, 336)),
        ((2500, 100), (2048, 256)),
        ((1, 1), (256, 256)),
        ((1, 30000), (256, 2048)),
    ],
)
def test_a_result_follows_its_picture_within_the_models_limits(
    picture: tuple[int, int], result: tuple[int, int]
) -> None:
    made = plan(IMG2IMG, picture)
    assert (made.unmade.width, made.unmade.height) == result
    assert made.input_sizes == (result,)


def test_the_size_asked_for_counts() -> None:
    made = plan(IMG2IMG, (3000, 1500), size=(300, 400))
    assert (made.unmade.width, made.unmade.height) == (300, 400)
    assert made.input_sizes == ((300, 400),)


def test_references_stay_below_what_the_model_refuses() -> None:
    made = plan(REFERENCES, (2000, 1000), (300, 511), size=(512, 512))
    assert made.input_sizes == ((511, 255), (300, 511))
    assert made.unmade.input_images == made.input_sizes
