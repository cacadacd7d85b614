"""What `POST /v1/images/generations` accepts: OpenAI's fields, and what chat apps call them. Pure.

Comes in: the parsed body. Goes out: an ImageRequest. Raises BadRequest naming the `param`.
"""

import re
from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.images.formats import MEDIA_TYPES
from openai_api.wire import fields
from openai_api.wire.declared import Boolean, Choice, FilledText, Number, Text, WholeNumber
from openai_api.wire.fields import wrong_value

SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
HARD_MAX_COUNT = 4


_SIZE = r"^\s*(?:auto|[1-9][0-9]{0,4}[xX*×][1-9][0-9]{0,4})\s*$"


class Fields:
    prompt = FilledText(examples=["A lighthouse at dusk."])
    model = Text(
        "Left out: the operator's default, where there is one.",
        examples=["@cf/black-forest-labs/flux-1-schnell"],
    )
    n = WholeNumber(1, about="The operator sets the most.", narrowed={"maximum": HARD_MAX_COUNT})
    batch_size = WholeNumber(1, about="Cherry Studio's `n`.", narrowed={"maximum": HARD_MAX_COUNT})
    size = Text(
        "`auto`, or WIDTHxHEIGHT in pixels, within what the model takes.",
        narrowed={"pattern": _SIZE},
        examples=["512x512"],
    )
    image_size = Text("Cherry Studio's `size`.", narrowed={"pattern": _SIZE}, examples=["512x512"])
    response_format = Choice(("b64_json", "url"), "`url` gives a data URL.")
    output_format = Choice(tuple(MEDIA_TYPES))
    output_compression = WholeNumber(0, 100, "Of jpeg and webp, in percent.")
    seed = WholeNumber(0, 2**53)
    steps = WholeNumber(1)
    num_steps = WholeNumber(1, about="Another name of `steps`.")
    num_inference_steps = WholeNumber(1, about="Another name of `steps`.")
    guidance = Number(0)
    guidance_scale = Number(0, about="Another name of `guidance`.")
    negative_prompt = Text()
    stream = Boolean("Not supported: only false is taken.", narrowed={"enum": [False]})
    quality = Text("Ignored.")
    style = Text("Ignored.")
    background = Text("Ignored.")
    moderation = Text("Ignored.")
    partial_images = WholeNumber(0, 3, "Ignored.")
    user = Text()


# Names of one thing, the first of which counts.
_COUNTS = (Fields.n, Fields.batch_size)
_SIZES = (Fields.size, Fields.image_size)
_STEPS = (Fields.steps, Fields.num_steps, Fields.num_inference_steps)
_IGNORED = (Fields.quality, Fields.style, Fields.background, Fields.moderation)


# What other services call a picture to begin with. Drawn without it, the result would be another.
_PICTURES = (
    *("image", "images", "image_url", "image_urls", "image_b64", "init_image", "input_image"),
    *("input_images", "input_references", "reference_images", "mask"),
)


def refuse_pictures(body: dict[str, Any]) -> None:
    """Refuses, by its name, a picture that a generation is to begin with."""
    for name in _PICTURES:
        if body.get(name):
            raise BadRequest(
                f"'{name}' is not supported here, where pictures are drawn from a prompt alone. "
                "Send pictures to POST /v1/images/edits.",
                param=name,
                code="unsupported_parameter",
            )


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Sizes in pixels; None where the client leaves the choice to the gateway."""

    model: str
    prompt: str
    n: int = 1
    size: tuple[int, int] | None = None
    as_url: bool = False
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    negative_prompt: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any], *, default_model: str, max_count: int) -> ImageRequest:
    """The request in `body`; raises BadRequest."""
    prompt = Fields.prompt(body)
    model = Fields.model(body) or default_model
    if not model:
        raise fields.missing("model")
    if Fields.stream(body):
        raise BadRequest(
            "Image generation is not streamed by this gateway: leave 'stream' out.",
            param="stream",
            code="unsupported_parameter",
        )
    for ignored in _IGNORED:
        ignored(body)
    output_format = Fields.output_format(body)
    compression = Fields.output_compression(body)
    Fields.partial_images(body)
    response_format = Fields.response_format(body)
    return ImageRequest(
        model=model,
        prompt=prompt,
        n=_count(body, max_count),
        size=_size(body),
        as_url=response_format == "url",
        seed=Fields.seed(body),
        steps=_steps(body),
        guidance=_guidance(body),
        negative_prompt=Fields.negative_prompt(body) or None,
        output_format=output_format,
        output_compression=compression,
        user=Fields.user(body) or "",
    )


def _count(body: dict[str, Any], max_count: int) -> int:
    """`n`, or Cherry Studio's `batch_size`."""
    highest = min(max_count, HARD_MAX_COUNT)
    found = None
    for named in _COUNTS:
        count = named(body)
        if count is not None and count > highest:
            raise wrong_value(named.name, f"at most {highest} on this gateway", count)
        found = count if found is None else found
    return found or 1


def _size(body: dict[str, Any]) -> tuple[int, int] | None:
    """`size`, or Cherry Studio's `image_size`; `auto` leaves it to the gateway."""
    sizes = [_pixels(named, named(body)) for named in _SIZES]
    return next((size for size in sizes if size is not None), None)


def _pixels(named: Text, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    written = value.strip().lower()
    if written == "auto":
        return None
    found = SIZE.fullmatch(written.replace("*", "x").replace("×", "x"))
    if found is None:
        raise wrong_value(named.name, "'auto' or WIDTHxHEIGHT such as '1024x1024'", value)
    return int(found[1]), int(found[2])


def _steps(body: dict[str, Any]) -> int | None:
    found = None
    for named in _STEPS:
        value = named(body)
        found = value if found is None else found
    return found


def _guidance(body: dict[str, Any]) -> float | None:
    guidance = Fields.guidance(body)
    scale = Fields.guidance_scale(body)
    return guidance if guidance is not None else scale
