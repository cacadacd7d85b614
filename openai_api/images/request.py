"""What `POST /v1/images/generations` accepts: OpenAI's fields, and what chat apps call them. Pure.

Comes in: the parsed body. Goes out: an ImageRequest. Raises BadRequest naming the `param`.
"""

import re
from dataclasses import dataclass
from typing import Any

from openai_api.errors import BadRequest
from openai_api.images.formats import MEDIA_TYPES
from openai_api.wire import fields
from openai_api.wire.fields import wrong_value

SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
HARD_MAX_COUNT = 4


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
    prompt = fields.text(body, "prompt", required=True) or ""
    model = fields.text(body, "model") or default_model
    if not model:
        raise fields.missing("model")
    if fields.boolean(body, "stream"):
        raise BadRequest(
            "Image generation is not streamed by this gateway: leave 'stream' out.",
            param="stream",
            code="unsupported_parameter",
        )
    for ignored in ("quality", "style", "background", "moderation"):
        fields.text(body, ignored)
    output_format = fields.choice(body, "output_format", tuple(MEDIA_TYPES))
    compression = fields.whole_number(body, "output_compression", 0, 100)
    fields.whole_number(body, "partial_images", 0, 3)
    response_format = fields.choice(body, "response_format", ("b64_json", "url"))
    return ImageRequest(
        model=model,
        prompt=prompt,
        n=_count(body, max_count),
        size=_size(body),
        as_url=response_format == "url",
        seed=fields.whole_number(body, "seed", 0, 2**53),
        steps=_first_number(body, ("steps", "num_steps", "num_inference_steps")),
        guidance=_guidance(body),
        negative_prompt=fields.text(body, "negative_prompt") or None,
        output_format=output_format,
        output_compression=compression,
        user=fields.text(body, "user") or "",
    )


def _count(body: dict[str, Any], max_count: int) -> int:
    """`n`, or Cherry Studio's `batch_size`."""
    highest = min(max_count, HARD_MAX_COUNT)
    for name in ("n", "batch_size"):
        count = fields.whole_number(body, name, 1)
        if count is not None:
            if count > highest:
                raise wrong_value(name, f"at most {highest} on this gateway", count)
            return count
    return 1


def _size(body: dict[str, Any]) -> tuple[int, int] | None:
    """`size`, or Cherry Studio's `image_size`; `auto` leaves it to the gateway."""
    for name in ("size", "image_size"):
        value = fields.text(body, name)
        if value is None or value == "auto":
            continue
        found = SIZE.fullmatch(value.strip().lower().replace("*", "x").replace("×", "x"))
        if found is None:
            raise wrong_value(name, "'auto' or WIDTHxHEIGHT such as '1024x1024'", value)
        return int(found[1]), int(found[2])
    return None


def _first_number(body: dict[str, Any], names: tuple[str, ...]) -> int | None:
    found = None
    for name in names:
        value = fields.whole_number(body, name, 1)
        found = value if found is None else found
    return found


def _guidance(body: dict[str, Any]) -> float | None:
    guidance = fields.number(body, "guidance", 0)
    scale = fields.number(body, "guidance_scale", 0)
    return guidance if guidance is not None else scale
