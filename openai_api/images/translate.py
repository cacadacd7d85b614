"""An image request → one upstream call per picture, in the form the model's schema asks for. Pure.

Comes in: an ImageRequest and the catalog's record with its recipe. Goes out: an ImagePlan. Only
fields that the schema lists are sent, because models refuse others. Raises BadRequest where a value
does not fit it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.classify.facts import ImageRecipe, Parameter
from catalog.snapshot import ModelRecord
from openai_api.errors import BadRequest
from openai_api.images.request import ImageRequest
from openai_api.wire.fields import wrong_value

# The size that models without one in their schema make, and the steps of models that name none.
USUAL_SIDE = 1024
USUAL_STEPS = 4


@dataclass(frozen=True, slots=True)
class ImageCall:
    """The body of one upstream call and its type."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """Calls to run side by side; size and steps as they count for the price of each picture."""

    calls: tuple[ImageCall, ...]
    width: int
    height: int
    steps: int
    # Sizes of the input pictures, which some models charge for.
    input_images: tuple[tuple[int, int], ...] = ()


def translate(
    asked: ImageRequest, model: ModelRecord, *, default_size: tuple[int, int]
) -> ImagePlan:
    """The plan for this model; raises BadRequest."""
    recipe = model.image or ImageRecipe()
    check_prompt(asked, recipe)
    if asked.size is not None:
        width, height = size_asked_for(asked, recipe)
    else:
        width, height = nearest_size(default_size, recipe)
    values = settings_of(asked, recipe, width, height)
    return ImagePlan(
        calls=tuple(call(recipe, seeded(values, asked, recipe, i)) for i in range(asked.n)),
        width=width,
        height=height,
        steps=steps_of(values, recipe),
    )


def settings_of(
    asked: ImageRequest, recipe: ImageRecipe, width: int, height: int
) -> dict[str, Any]:
    """The fields of one upstream call without its seed; raises BadRequest."""
    values: dict[str, Any] = {"prompt": asked.prompt}
    if recipe.takes_size:
        values |= {"width": width, "height": height}
    if recipe.steps_field and asked.steps is not None:
        values[recipe.steps_field] = _fitting("steps", asked.steps, recipe, recipe.steps_field)
    elif recipe.steps_field and recipe.transport == "multipart" and recipe.default_steps:
        # Upstream's default is known only from the price, so it is sent.
        values[recipe.steps_field] = recipe.default_steps
    if "guidance" in recipe.parameters and asked.guidance is not None:
        values["guidance"] = _fitting("guidance", asked.guidance, recipe, "guidance")
    if "negative_prompt" in recipe.parameters and asked.negative_prompt:
        values["negative_prompt"] = asked.negative_prompt
    return values


def steps_of(values: dict[str, Any], recipe: ImageRecipe) -> int:
    """The steps that count for the price."""
    return int(values.get(recipe.steps_field or "") or recipe.default_steps or USUAL_STEPS)


def check_prompt(asked: ImageRequest, recipe: ImageRecipe) -> None:
    longest = recipe.prompt_max_length
    if longest is not None and len(asked.prompt) > longest:
        raise BadRequest(
            f"Invalid 'prompt': string too long. `{asked.model}` takes at most {longest} "
            f"characters, but got {len(asked.prompt)}.",
            param="prompt",
            code="string_above_max_length",
        )


def size_asked_for(asked: ImageRequest, recipe: ImageRecipe) -> tuple[int, int]:
    """The client's width and height, which must fit the schema's limits."""
    assert asked.size is not None
    if not recipe.takes_size:
        return USUAL_SIDE, USUAL_SIDE
    for name, side in zip(("width", "height"), asked.size, strict=True):
        limits = recipe.parameters[name]
        if side != _clamped(side, limits):
            low, high = _shown(limits.minimum or 1), _shown(limits.maximum)
            raise wrong_value(
                "size", f"a {name} from {low} to {high} pixels for `{asked.model}`", side
            )
    return asked.size


def nearest_size(size: tuple[int, int], recipe: ImageRecipe) -> tuple[int, int]:
    """The size nearest to this one that the model can make."""
    if not recipe.takes_size:
        return USUAL_SIDE, USUAL_SIDE
    width, height = size
    return (
        _clamped(width, recipe.parameters["width"]),
        _clamped(height, recipe.parameters["height"]),
    )


def _clamped(value: float, limits: Parameter) -> int:
    if limits.minimum is not None:
        value = max(value, limits.minimum)
    if limits.maximum is not None:
        value = min(value, limits.maximum)
    return int(value)


def _fitting(param: str, value: float, recipe: ImageRecipe, name: str) -> float:
    limits = recipe.parameters[name]
    low, high = limits.minimum, limits.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise wrong_value(param, f"a number from {_shown(low or 0)} to {_shown(high)}", value)
    return value


def _shown(limit: float | None) -> str:
    return "any number" if limit is None else f"{limit:g}"


def seeded(
    values: dict[str, Any], asked: ImageRequest, recipe: ImageRecipe, number: int
) -> dict[str, Any]:
    """The fields of one call with its seed: each picture of a request takes the next one."""
    if asked.seed is None or "seed" not in recipe.parameters:
        return values
    return {**values, "seed": asked.seed + number}


def call(
    recipe: ImageRecipe, values: dict[str, Any], files: Sequence[tuple[str, bytes]] = ()
) -> ImageCall:
    """One upstream call: a JSON object, or a form that takes JPEG files besides."""
    if recipe.transport != "multipart":
        return ImageCall(orjson.dumps(values), "application/json")
    boundary = secrets.token_hex(16).encode()
    parts = []
    for name, value in values.items():
        parts += [_part(boundary, name), b"\r\n\r\n", str(value).encode("utf-8", "replace")]
    for name, content in files:
        parts.append(_part(boundary, name))
        parts.append(f'; filename="{name}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode())
        parts.append(content)
    parts.append(b"\r\n--" + boundary + b"--\r\n")
    # The first boundary has no line break before it.
    body = b"".join(parts)[2:]
    return ImageCall(body, f"multipart/form-data; boundary={boundary.decode()}")


def _part(boundary: bytes, name: str) -> bytes:
    return b'\r\n--%b\r\nContent-Disposition: form-data; name="%b"' % (boundary, name.encode())
