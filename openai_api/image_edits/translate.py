"""An edit → what to make of its pictures, and one upstream call for each result. Pure.

Comes in: an EditRequest whose pictures have been looked at, and the catalog's record with its
recipe. Goes out: an EditPlan; `drawing` makes the calls of it once the pictures are ready. Raises
BadRequest where the model cannot do what was asked.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.classify.facts import ImageRecipe
from catalog.snapshot import ModelRecord
from openai_api.errors import BadRequest
from openai_api.image_edits.pictures import Seen
from openai_api.image_edits.request import EditRequest
from openai_api.images.request import ImageRequest
from openai_api.images.translate import (
    ImageCall,
    ImagePlan,
    call,
    check_prompt,
    nearest_size,
    seeded,
    settings_of,
    size_asked_for,
    steps_of,
)

# Reference pictures of multipart models are smaller than 512x512 pixels (seen 2026-09).
LONGEST_REFERENCE = 511
# The sides of a result sized like its original are multiples of this, as the models require.
SIDE_STEP = 8
# With upstream's own default of 1 nothing of the original is left.
DEFAULT_STRENGTH = 0.75


@dataclass(frozen=True, slots=True)
class EditPlan:
    """The pictures are brought to `input_sizes`, the mask, if any, to the size of the result."""

    unmade: ImagePlan
    recipe: ImageRecipe
    values: dict[str, Any]
    input_sizes: tuple[tuple[int, int], ...]
    # Where the mask is: `mask` for a file of its own, `image` for the picture's transparency.
    mask_from: str | None


def translate(asked: EditRequest, model: ModelRecord, *, default_size: tuple[int, int]) -> EditPlan:
    """The plan for this model; raises BadRequest."""
    recipe = model.image or ImageRecipe()
    check_prompt(asked.wanted, recipe)
    _check_count(asked, recipe)
    mask_from = _mask_from(asked, recipe)
    width, height = _size(asked, recipe, longest=max(default_size))
    values = settings_of(asked.wanted, recipe, width, height)
    if "strength" in recipe.parameters:
        strength = asked.strength
        if strength is None and mask_from is None:
            strength = DEFAULT_STRENGTH
        if strength is not None:
            values["strength"] = strength
    if recipe.transport == "multipart":
        inputs = tuple(_within(seen, LONGEST_REFERENCE) for seen in asked.seen)
    else:
        inputs = ((width, height),)
    return EditPlan(
        unmade=ImagePlan((), width, height, steps_of(values, recipe), input_images=inputs),
        recipe=recipe,
        values=values,
        input_sizes=inputs,
        mask_from=mask_from,
    )


def _check_count(asked: EditRequest, recipe: ImageRecipe) -> None:
    if len(asked.images) > recipe.max_input_images:
        raise BadRequest(
            f"The model `{asked.model}` takes at most {recipe.max_input_images} "
            f"input image(s), but got {len(asked.images)}.",
            param="image",
            code="invalid_value",
        )


def _mask_from(asked: EditRequest, recipe: ImageRecipe) -> str | None:
    """Where the mask is: in `mask`, in the transparency of `image`, or nowhere."""
    if asked.mask is not None:
        if not recipe.takes_mask:
            raise BadRequest(
                f"The model `{asked.model}` takes no mask: leave it out, or name another.",
                param="mask",
                code="unsupported_parameter",
            )
        mask, image = asked.mask_seen, asked.seen[0]
        assert mask is not None
        if (mask.width, mask.height) != (image.width, image.height):
            raise BadRequest(
                "The mask must have the size of the image, "
                f"{image.width}x{image.height}, but it has {mask.width}x{mask.height}.",
                param="mask",
                code="invalid_image",
            )
        return "mask"
    if not recipe.needs_mask:
        return None
    if not asked.seen[0].has_alpha:
        raise BadRequest(
            f"The model `{asked.model}` needs a 'mask' whose transparent parts are to be painted, "
            "or an image with transparent parts.",
            param="mask",
            code="missing_required_parameter",
        )
    return "image"


def _size(asked: EditRequest, recipe: ImageRecipe, *, longest: int) -> tuple[int, int]:
    """The size of the result: as asked for, else as near to the original's as the model allows."""
    if asked.wanted.size is not None:
        return size_asked_for(asked.wanted, recipe)
    width, height = _within(asked.seen[0], longest)
    smallest = max(
        recipe.parameters[name].minimum or 0 if name in recipe.parameters else 0
        for name in ("width", "height")
    )
    grown = max(1.0, smallest / min(width, height))
    return nearest_size((_stepped(width * grown), _stepped(height * grown)), recipe)


def _within(seen: Seen, longest: int) -> tuple[int, int]:
    """The picture's size, shrunk until its longer side is within the limit."""
    scale = min(1.0, longest / max(seen.width, seen.height))
    return max(1, int(seen.width * scale)), max(1, int(seen.height * scale))


def _stepped(side: float) -> int:
    return max(SIDE_STEP, round(side / SIDE_STEP) * SIDE_STEP)


def drawing(
    plan: EditPlan, wanted: ImageRequest, pictures: Sequence[bytes], mask: bytes | None
) -> ImagePlan:
    """The upstream calls with these pictures, each a JPEG of its planned size."""
    calls = tuple(
        _call(plan, seeded(plan.values, wanted, plan.recipe, number), pictures, mask)
        for number in range(wanted.n)
    )
    return replace(plan.unmade, calls=calls)


def _call(
    plan: EditPlan, values: dict[str, Any], pictures: Sequence[bytes], mask: bytes | None
) -> ImageCall:
    recipe = plan.recipe
    if recipe.transport == "multipart":
        files = list(zip(recipe.image_fields, pictures, strict=False))
        return call(recipe, values, files)
    [picture] = pictures
    # Beside a mask, which goes as byte values, the picture is expected as byte values too.
    as_base64 = "image_b64" in recipe.image_fields and mask is None
    if as_base64 or "image" not in recipe.image_fields:
        values = {**values, "image_b64": base64.b64encode(picture).decode()}
    else:
        values = {**values, "image": list(picture)}
    if mask is not None:
        values["mask"] = list(mask)
    return call(recipe, values)
