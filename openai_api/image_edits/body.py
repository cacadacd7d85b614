"""The body of an edit: a form with files, or JSON with the pictures as data URLs.

Comes in: a request whose body has not been read. Goes out: a SentEdit, the pictures' own bytes in
either case. Raises what the readers of both kinds raise, and BadRequest naming the picture.
"""

import base64
import binascii
from typing import Any

from openai_api.chat_completions.request import check_picture_url, is_file_url
from openai_api.errors import BadRequest
from openai_api.exchange import GatewayRequest
from openai_api.image_edits.request import MOST_IMAGES, Fields, JsonFields, SentEdit
from openai_api.images.formats import in_thread
from openai_api.wire import nested_fields
from openai_api.wire.body import json_body, media_type
from openai_api.wire.declared import declared
from openai_api.wire.fields import missing, wrong_type, wrong_value
from openai_api.wire.multipart import form_body

_FORM_FIELDS = declared(Fields)


async def sent_edit(request: GatewayRequest) -> SentEdit:
    if media_type(request) == b"application/json":
        body = await json_body(request)
        return await in_thread(lambda: _of_json(body))
    form = await form_body(request)
    images = form.uploads("image", most=MOST_IMAGES)
    if not images:
        raise missing("image")
    masks = form.uploads("mask", most=1)
    return SentEdit(
        form.body(_FORM_FIELDS),
        [image.data for image in images],
        masks[0].data if masks else None,
    )


def _of_json(body: dict[str, Any]) -> SentEdit:
    images = JsonFields.images(body)
    if len(images) > MOST_IMAGES:
        raise wrong_value("images", f"at most {MOST_IMAGES} pictures", len(images))
    mask = JsonFields.mask(body)
    return SentEdit(
        {name: value for name, value in body.items() if name not in ("images", "mask")},
        [_picture(image, f"images[{number}]") for number, image in enumerate(images)],
        _picture(mask, "mask") if mask is not None else None,
    )


def _picture(named: Any, at: str) -> bytes:
    """The bytes of a picture that is named as `{"image_url": …}`."""
    if not isinstance(named, dict):
        raise wrong_type(at, "an object with 'image_url'", named)
    if named.get("file_id") is not None:
        raise BadRequest(
            f"'{at}.file_id' is not supported: this gateway keeps no files. Send the picture as a "
            "data URL in 'image_url'.",
            param=f"{at}.file_id",
            code="unsupported_parameter",
        )
    param = f"{at}.image_url"
    url = nested_fields.text(named, at, "image_url")
    if is_file_url(url):
        raise BadRequest(
            f"'{param}' is fetched from nowhere: send the picture as a data URL, or in a form.",
            param=param,
            code="unsupported_value",
        )
    check_picture_url(url, param)
    try:
        return base64.b64decode(url[url.find(",") + 1 :], validate=True)
    except binascii.Error:
        raise BadRequest(
            f"The picture in '{param}' cannot be used: its data is no base64.",
            param=param,
            code="invalid_image",
        ) from None
