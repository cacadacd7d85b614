"""What is told of models and of the key that asks. Pure."""

from openai_api.description.shapes import (
    BOOLEAN,
    COUNT,
    NAME,
    NUMBER,
    NUMBER_OR_NULL,
    OBJECT,
    POSITIVE,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    listed,
    one_of,
    optional,
    or_null,
    reference,
    thing,
)
from openai_api.served import SERVED

_TEXTS = listed(TEXT)
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_MOMENT_OR_NULL = or_null(_MOMENT)
_MODEL = optional(
    thing(
        id=NAME,
        object={"const": "model"},
        created=COUNT,
        owned_by=NAME,
        name=NAME,
        type={"const": "model"},
        display_name=NAME,
        created_at=_MOMENT,
        lifecycle=one_of(("active", "deprecated")),
        architecture=thing(modality=NAME, input_modalities=_TEXTS, output_modalities=_TEXTS),
        pricing={**OBJECT, "additionalProperties": TEXT, "description": "USD, as texts."},
        supported_endpoint_types=listed(one_of(e.type_name for e in SERVED.values())),
    ),
    description=TEXT,
    context_length=COUNT,
    max_input_tokens=COUNT,
    max_tokens=COUNT,
    top_provider=OBJECT,
    supported_parameters=_TEXTS,
    retires_at=_MOMENT,
    canonical_slug=NAME,
)
_BUDGET = thing(limit=NUMBER_OR_NULL, used=POSITIVE, reserved=NUMBER, remaining=NUMBER_OR_NULL)
_COUNTS = thing(day=COUNT, month=COUNT, total=COUNT)
_RATES = thing(
    requests_per_minute=or_null(COUNT), tokens_per_minute=or_null(COUNT), concurrency=or_null(COUNT)
)
_LIMIT = optional(
    thing(
        holder=TEXT,
        holder_type=TEXT,
        limit=TEXT,
        what=TEXT,
        window=TEXT_OR_NULL,
        models=or_null(_TEXTS),
        amount=NUMBER,
        used=NUMBER_OR_NULL,
        reserved=NUMBER,
        remaining=NUMBER_OR_NULL,
        resets_at=_MOMENT_OR_NULL,
    ),
    usual_amount=NUMBER,
)
_RAISE = thing(
    holder=TEXT,
    limit=TEXT,
    models=or_null(_TEXTS),
    to=NUMBER_OR_NULL,
    by=NUMBER_OR_NULL,
    until=_MOMENT,
)
_BUDGETS = thing(daily=_BUDGET, monthly=_BUDGET, total=_BUDGET)
_LAST = or_null(thing(id=NAME, model=TEXT, cost=NUMBER_OR_NULL, started_at=_MOMENT))
_KEY = optional(
    thing(
        label=TEXT,
        owner=TEXT,
        team=TEXT_OR_NULL,
        limit=NUMBER_OR_NULL,
        limit_remaining=NUMBER_OR_NULL,
        usage=POSITIVE,
        usage_daily=POSITIVE,
        usage_monthly=POSITIVE,
        budgets=_BUDGETS,
        limits=listed(_LIMIT),
        raises=listed(_RAISE),
        neurons_daily=_BUDGET,
        requests=_COUNTS,
        refused_today=OBJECT,
        tokens=thing(prompt=COUNT, completion=COUNT),
        images=COUNT,
        last_request=_LAST,
        is_free_tier=BOOLEAN,
        rate_limit=thing(requests=or_null(COUNT), interval=TEXT),
        rate_limits=_RATES,
        allowed_models=or_null(_TEXTS),
        allowed_endpoints=or_null(_TEXTS),
        created_at=_MOMENT_OR_NULL,
        expires_at=_MOMENT_OR_NULL,
    ),
    owner_rate_limits=_RATES,
    owner_budgets=_BUDGETS,
    owner_neurons_daily=_BUDGET,
    session=or_null(thing(id=TEXT, requests=COUNT, failed=COUNT, tokens=OBJECT, cost=POSITIVE)),
)
_TOKENS = thing(prompt=COUNT, cached=COUNT, completion=COUNT, reasoning=COUNT)
_USED = thing(
    requests=COUNT,
    failed=COUNT,
    tokens=_TOKENS,
    images=COUNT,
    audio_seconds=POSITIVE,
    cost=POSITIVE,
    neurons=POSITIVE,
)
_NAMED = listed(thing(id=NAME, name=NAME))
SCHEMAS: dict[str, Schema] = {
    "Model": _MODEL,
    "ModelList": optional(
        thing(object={"const": "list"}, data=listed(reference("Model")), has_more=BOOLEAN),
        first_id=NAME,
        last_id=NAME,
    ),
    "Key": thing(data=_KEY),
    "KeyUsage": thing(
        object={"const": "list"},
        since={"type": "string", "format": "date"},
        until={"type": "string", "format": "date"},
        by=TEXT,
        data=listed(_USED),
        total=_USED,
    ),
    "VoiceList": thing(voices=_NAMED),
    "SpeechModelList": thing(object={"const": "list"}, models=_NAMED, data=_NAMED),
}
