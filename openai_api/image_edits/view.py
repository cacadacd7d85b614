"""`POST /v1/images/edits`: pictures are prepared in a thread, then drawn as in a generation."""

from django.conf import settings

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.image_edits import request as edit_request
from openai_api.image_edits.body import sent_edit
from openai_api.image_edits.pictures import as_jpeg, as_mask, look
from openai_api.image_edits.request import EditRequest, SentEdit
from openai_api.image_edits.translate import EditPlan, drawing, translate
from openai_api.images import view as images
from openai_api.images.formats import in_thread
from openai_api.images.translate import ImagePlan
from openai_api.pipeline import Endpoint, Result
from workers_ai.client import WorkersAIClient


def read(sent: SentEdit) -> EditRequest:
    return edit_request.read(
        sent, default_model=settings.DEFAULT_IMAGE_MODEL, max_count=settings.MAX_IMAGE_COUNT
    )


async def look_at_pictures(asked: EditRequest) -> None:
    def look_at_all() -> None:
        asked.seen = tuple(look(image, "image") for image in asked.images)
        asked.mask_seen = look(asked.mask, "mask") if asked.mask else None

    await in_thread(look_at_all)


def plan(asked: EditRequest, model: ModelRecord) -> EditPlan:
    return translate(asked, model, default_size=images.default_size())


def most(asked: EditRequest, plan: EditPlan, model: ModelRecord) -> Quantities:
    return images.quantities(plan.unmade, asked.wanted.n)


async def whole(
    exchange: Exchange, asked: EditRequest, plan: EditPlan, client: WorkersAIClient
) -> Result:
    ready = await in_thread(lambda: _ready(asked, plan))
    return await images.whole(exchange, asked.wanted, ready, client)


def _ready(asked: EditRequest, plan: EditPlan) -> ImagePlan:
    """The calls with the pictures in them. Decodes, resizes and encodes: to be run in a thread."""
    sized = zip(asked.images, plan.input_sizes, strict=True)
    pictures = [as_jpeg(image, size, "image") for image, size in sized]
    mask = None
    size = (plan.unmade.width, plan.unmade.height)
    if plan.mask_from == "mask" and asked.mask is not None:
        mask = as_mask(asked.mask, size, "mask")
    elif plan.mask_from == "image":
        mask = as_mask(asked.images[0], size, "image")
    return drawing(plan, asked.wanted, pictures, mask)


IMAGE_EDITS: Endpoint[EditRequest, EditPlan] = Endpoint(
    name="image_edits",
    body=sent_edit,
    read=read,
    prepare=look_at_pictures,
    plan=plan,
    most=most,
    whole=whole,
    prompt_param="prompt",
)


class ImageEditsView(EndpointView):
    endpoint = IMAGE_EDITS
