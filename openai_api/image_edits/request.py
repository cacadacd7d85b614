"""What `POST /v1/images/edits` accepts: a form with pictures, and the fields of a generation. Pure.

Comes in: the Form. Goes out: an EditRequest. Raises BadRequest naming the `param`.
"""

from dataclasses import dataclass

from openai_api.image_edits.pictures import Seen
from openai_api.images import request as image_request
from openai_api.images.request import ImageRequest
from openai_api.wire.declared import Files, Number, declared
from openai_api.wire.fields import missing
from openai_api.wire.multipart import Form, Upload

# OpenAI's own limit; a model's may be lower, and its error names the model.
MOST_IMAGES = 16


class Fields(image_request.Fields):
    image = Files("What is changed.", most=MOST_IMAGES, required=True)
    mask = Files("Where it may be changed.", most=1)
    strength = Number(0, 1)


_FIELDS = declared(Fields)


@dataclass(slots=True)
class EditRequest:
    """`wanted` is the request as for a generation. The files' headers are read into `seen` and
    `mask_seen` before the request is translated.
    """

    wanted: ImageRequest
    images: list[Upload]
    mask: Upload | None = None
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


def read(form: Form, *, default_model: str, max_count: int) -> EditRequest:
    """The request in `form`; raises BadRequest."""
    images = form.uploads("image", most=MOST_IMAGES)
    if not images:
        raise missing("image")
    masks = form.uploads("mask", most=1)
    body = form.body(_FIELDS)
    return EditRequest(
        wanted=image_request.read(body, default_model=default_model, max_count=max_count),
        images=images,
        mask=masks[0] if masks else None,
        strength=Fields.strength(body),
    )
