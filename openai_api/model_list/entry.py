"""One entry of `/v1/models`: OpenAI's four fields, then what clients show, named as by OpenRouter
and by Anthropic. Pure.

No field is null: what is not known is left out.
"""

from datetime import UTC, date, datetime, time
from typing import Any

from django.conf import settings

from catalog import learnt
from catalog.models import BY_REQUEST, PAID_PLAN, TERMS
from catalog.pricing.costs import Quantities
from catalog.pricing.texts import usd_per_token_strings
from catalog.resolve import Listed
from catalog.snapshot import ModelRecord
from openai_api.images.translate import USUAL_SIDE, USUAL_STEPS
from openai_api.served import SERVED

# Added to the description of a model that refuses the account.
_ACCESS = {
    TERMS: "(Refused so far: an operator has to accept its terms for the account first.)",
    BY_REQUEST: "(Refused so far: Cloudflare grants the account access by request.)",
    PAID_PLAN: "(Refused so far: it needs the Workers Paid plan.)",
}


def model_entry(listed: Listed) -> dict[str, Any]:
    """The entry of a model or of an alias, which has the facts of its model under its own id."""
    record = listed.record
    entry: dict[str, Any] = {
        "id": listed.id,
        "object": "model",
        "created": record.created,
        "owned_by": record.author or "cloudflare",
        "name": listed.id.rsplit("/", 1)[-1],
        **_as_anthropic_has_it(listed),
        "architecture": _architecture(record),
        "pricing": usd_per_token_strings(record.prices, _usual_picture(record)),
        "supported_endpoint_types": [
            endpoint.type_name for name, endpoint in SERVED.items() if name in listed.endpoints
        ],
    }
    description = " ".join(filter(None, (record.description, _ACCESS.get(record.access))))
    if description:
        entry["description"] = description
    window = learnt.window_of(record)
    if window is not None:
        entry["context_length"] = entry["max_input_tokens"] = window
    most_output = learnt.most_output_of(record)
    if window is not None and "chat" in record.endpoints:
        entry["max_tokens"] = min(window, most_output or window)
        entry["top_provider"] = {
            "context_length": window,
            "max_completion_tokens": entry["max_tokens"],
            "is_moderated": False,
        }
    parameters = record.chat.supported_parameters if record.chat is not None else ()
    if parameters:
        entry["supported_parameters"] = list(parameters)
    if listed.is_alias:
        entry["canonical_slug"] = record.name
    return entry


def _as_anthropic_has_it(listed: Listed) -> dict[str, Any]:
    record = listed.record
    shown = listed.id.rsplit("/", 1)[-1]
    if listed.is_alias:
        # Pickers show this alone, and an alias may well have the name of another's model.
        shown = f"{shown} ({record.name.rsplit('/', 1)[-1]})"
    fields: dict[str, Any] = {
        "type": "model",
        "display_name": shown,
        "created_at": _written(datetime.fromtimestamp(record.created, UTC)),
        "lifecycle": "active",
    }
    ends: date | None = record.planned_deprecation_date
    if ends is not None:
        fields["lifecycle"] = "deprecated"
        fields["retires_at"] = _written(datetime.combine(ends, time(), UTC))
    return fields


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _architecture(record: ModelRecord) -> dict[str, Any]:
    takes, gives = ["text"], ["text"]
    if "speech" in record.endpoints:
        gives = ["audio"]
    elif record.audio is not None:
        takes = ["audio"]
    elif record.image is not None:
        gives = ["image"]
        if record.image.takes_image:
            takes = ["text", "image"]
    elif record.embeddings is not None:
        gives = ["embeddings"]
    elif "rerank" in record.endpoints:
        gives = ["rerank"]
    elif record.decisions is not None:
        takes = ["text", "image"] if record.decisions.most_images else ["text"]
        gives = ["decisions"]
    elif record.chat is not None:
        takes = ["text", *(("image",) if record.chat.vision else ())]
        if settings.DOCUMENTS:
            # Read into the prompt, whatever the model.
            takes.append("file")
    return {
        "modality": f"{'+'.join(takes)}->{'+'.join(gives)}",
        "input_modalities": takes,
        "output_modalities": gives,
    }


def _usual_picture(record: ModelRecord) -> Quantities | None:
    if record.image is None:
        return None
    steps = record.image.default_steps or USUAL_STEPS
    return Quantities(images=1, width=USUAL_SIDE, height=USUAL_SIDE, steps=steps)
