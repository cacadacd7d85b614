"""`POST /v1/images/generations`: `n` calls side by side, all pictures or none."""

import asyncio
from decimal import Decimal
from typing import Any

from django.conf import settings

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.images import request as image_request
from openai_api.images.formats import converted, has, in_thread
from openai_api.images.normalise import image_answer, picture_of
from openai_api.images.picture import Picture
from openai_api.images.request import ImageRequest
from openai_api.images.translate import ImageCall, ImagePlan, translate
from openai_api.pipeline import Endpoint, Result
from openai_api.use.recording import Metered
from openai_api.use.usage import NOTHING
from workers_ai.answer import Answer
from workers_ai.client import WorkersAIClient
from workers_ai.errors import WorkersAIError


def read(body: dict[str, Any]) -> ImageRequest:
    image_request.refuse_pictures(body)
    return image_request.read(
        body, default_model=settings.DEFAULT_IMAGE_MODEL, max_count=settings.MAX_IMAGE_COUNT
    )


def plan(asked: ImageRequest, model: ModelRecord) -> ImagePlan:
    return translate(asked, model, default_size=default_size())


def default_size() -> tuple[int, int]:
    width, height = settings.DEFAULT_IMAGE_SIZE.split("x")
    return int(width), int(height)


def most(asked: ImageRequest, plan: ImagePlan, model: ModelRecord) -> Quantities:
    return quantities(plan, asked.n)


async def whole(
    exchange: Exchange, asked: ImageRequest, plan: ImagePlan, client: WorkersAIClient
) -> Result:
    """All pictures of the request. When one fails the request fails, and those that came are
    recorded.
    """
    assert exchange.model is not None
    name = exchange.model.name
    done: list[tuple[Picture, Answer]] = []
    in_flight = 0

    async def draw(call: ImageCall) -> Picture:
        nonlocal in_flight
        in_flight += 1
        try:
            # Each try is billed, so a call that upstream may have run is not repeated.
            answer = await client.run(
                name,
                call.body,
                caller=exchange.caller,
                content_type=call.content_type,
                repeatable=False,
            )
        except WorkersAIError:
            in_flight -= 1
            raise
        in_flight -= 1
        exchange.attempts += answer.attempts
        picture = picture_of(answer)
        done.append((picture, answer))
        return picture

    def used_so_far() -> Metered:
        """Who hangs up pays for the pictures that upstream is busy with, too."""
        sent = in_flight - exchange.calls_in_line
        return _metered(plan, [answer for _, answer in done], "partial", in_flight=sent)

    exchange.used_so_far = used_so_far
    results = await asyncio.gather(*map(draw, plan.calls), return_exceptions=True)
    pictures = [result for result in results if isinstance(result, Picture)]
    for result in results:
        if isinstance(result, BaseException):
            if done:
                exchange.spent = _metered(plan, [a for _, a in done], "partial")
            raise result
    answers = [answer for _, answer in done]
    metered = _metered(plan, answers, "upstream")
    exchange.spent = metered
    pictures = await _as_asked(pictures, asked)
    used = exchange.priced(metered)
    return Result(image_answer(pictures, as_url=asked.as_url, usage=used.usage), used)


async def _as_asked(pictures: list[Picture], asked: ImageRequest) -> list[Picture]:
    """In the format that the request names. Raises UnusableAnswer for what cannot be read."""
    wanted = (asked.output_format, asked.output_compression)
    if all(has(picture, *wanted) for picture in pictures):
        return pictures
    return await in_thread(lambda: [converted(picture, *wanted) for picture in pictures])


def quantities(plan: ImagePlan, images: int) -> Quantities:
    return Quantities(
        images=images,
        width=plan.width,
        height=plan.height,
        steps=plan.steps,
        input_images=plan.input_images,
        requests=images,
    )


def _metered(plan: ImagePlan, answers: list[Answer], source: str, *, in_flight: int = 0) -> Metered:
    measured = [answer.neurons for answer in answers if answer.neurons is not None]
    every_answer_says = bool(answers) and len(measured) == len(answers) + in_flight
    return Metered(
        NOTHING.with_neurons(sum(measured, Decimal(0))) if every_answer_says else NOTHING,
        source,
        quantities(plan, len(answers) + in_flight),
        cached_answer=bool(answers)
        and not in_flight
        and all(answer.from_cache for answer in answers),
    )


IMAGES: Endpoint[ImageRequest, ImagePlan] = Endpoint(
    name="images", read=read, plan=plan, most=most, whole=whole, prompt_param="prompt"
)


class ImageGenerationsView(EndpointView):
    endpoint = IMAGES
