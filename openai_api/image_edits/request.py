"""What `POST /v1/images/edits` accepts: pictures, and the fields of a generation. Pure.

Comes in: a SentEdit. Goes out: an EditRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.image_edits.pictures import Seen
from openai_api.images import request as image_request
from openai_api.images.request import ImageRequest
from openai_api.wire.declared import Files, FilledArray, Number, Object

# OpenAI's own limit; a model's may be lower, and its error names the model.
MOST_IMAGES = 16


class Fields(image_request.Fields):
    """Of a form."""

    image = Files("What is changed.", most=MOST_IMAGES, required=True)
    mask = Files("Where it may be changed.", most=1)
    strength = Number(0, 1)


_NAMED = {
    "properties": {
        "image_url": {"type": "string", "description": "A data URL in base64.", "minLength": 1}
    },
    "required": ["image_url"],
}


class JsonFields(image_request.Fields):
    """Of a body in JSON."""

    images = FilledArray(
        "picture",
        "What is changed.",
        narrowed={"maxItems": MOST_IMAGES, "items": {"type": "object", **_NAMED}},
    )
    mask = Object("Where it may be changed.", narrowed=_NAMED)
    strength = Number(0, 1)


@dataclass(frozen=True, slots=True)
class SentEdit:
    """`values` are the fields of the body but the pictures, which are bytes."""

    values: dict[str, Any]
    images: list[bytes]
    mask: bytes | None = None


@dataclass(slots=True)
class EditRequest:
    """`wanted` is the request as for a generation. The pictures' headers are read into `seen` and
    `mask_seen` before the request is translated.
    """

    wanted: ImageRequest
    images: list[bytes]
    mask: bytes | None = None
    strength: float | None = None
    seen: tuple[Seen, ...] = ()
    mask_seen: Seen | None = None

    @property
    def model(self) -> str:
        return self.wanted.model

    @property
    def stream(self) -> bool:
        return self.wanted.stream

    @property
    def user(self) -> str:
        return self.wanted.user


def read(sent: SentEdit, *, default_model: str, max_count: int) -> EditRequest:
    """The request in `sent`; raises BadRequest."""
    return EditRequest(
        wanted=image_request.read(sent.values, default_model=default_model, max_count=max_count),
        images=sent.images,
        mask=sent.mask,
        strength=Fields.strength(sent.values),
    )
