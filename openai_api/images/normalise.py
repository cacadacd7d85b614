"""Workers AI's pictures → OpenAI's image answer. Pure.

A picture comes as raw bytes or as base64 in JSON, and its declared type may be wrong: the answer's
Content-Type tells the two apart and the bytes' own signature names the format. Raises
UnusableAnswer for what is not a picture.
"""

import base64
import binascii
import time
from typing import Any

import orjson

from openai_api.images.formats import format_of, size_of
from openai_api.images.picture import Picture
from openai_api.use.usage import Usage
from openai_api.wire.picture_type import sniffed
from workers_ai.answer import Answer
from workers_ai.errors import UnusableAnswer

_BASE64_OF_SIGNATURE = 64  # characters that hold every signature


def picture_of(answer: Answer) -> Picture:
    """The picture in one upstream answer; raises UnusableAnswer, or Refused for an error in it."""
    media_type = sniffed(answer.content[:16])
    if media_type is not None:
        return Picture(base64.b64encode(answer.content).decode(), media_type)
    if answer.media_type.startswith(("image/", "application/octet-stream")):
        raise UnusableAnswer("Workers AI answered with bytes that are no picture")
    return _from_json(answer.json())


def _from_json(result: Any) -> Picture:
    image = result.get("image") if isinstance(result, dict) else result
    if not isinstance(image, str) or not image:
        raise UnusableAnswer("Workers AI answered without a picture")
    if image.startswith("data:"):
        image = image.partition(",")[2]
    try:
        start = base64.b64decode(image[:_BASE64_OF_SIGNATURE])
    except (binascii.Error, ValueError):
        raise UnusableAnswer("Workers AI answered with a picture that is not base64") from None
    media_type = sniffed(start)
    if media_type is None:
        raise UnusableAnswer("Workers AI answered with bytes that are no picture")
    return Picture(image, media_type)


def image_answer(pictures: list[Picture], *, as_url: bool, usage: Usage) -> bytes:
    """OpenAI's body for these pictures. Pictures are not billed by tokens, so of OpenAI's usage
    there is the cost alone, with counts of 0 that clients insist on.
    """
    data = [
        {"url": f"data:{p.media_type};base64,{p.base64}"} if as_url else {"b64_json": p.base64}
        for p in pictures
    ]
    body: dict[str, Any] = {"created": int(time.time()), "data": data}
    # One request's pictures are alike.
    for name, told in (("output_format", format_of(pictures[0])), ("size", size_of(pictures[0]))):
        if told:
            body[name] = told
    cost = usage.shown_cost()
    if cost:
        details = {"image_tokens": 0, "text_tokens": 0}
        counts = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        body["usage"] = {**counts, "input_tokens_details": details, **cost}
    return orjson.dumps(body)
