"""Failures that are a model's and not the request's: another model may answer the same request."""

from typing import Final

from catalog import breaker
from catalog.snapshot import ModelRecord
from openai_api.model_access import note_refusal
from workers_ai.errors import (
    ModelMissing,
    ModelNotForAccount,
    Refused,
    ServerFault,
    StreamCut,
    TimedOut,
    TryAgainSoon,
    Unreachable,
    UnusableAnswer,
    UpstreamTimedOut,
    WorkersAIError,
)

# A model that is gone, or not for this account, is not asked again within minutes.
GONE_S: Final = breaker.LONGEST_REST_S

_OF_THE_MODEL: Final = (
    ModelMissing,
    ModelNotForAccount,
    ServerFault,
    StreamCut,
    TryAgainSoon,
    UnusableAnswer,
    UpstreamTimedOut,
)


def is_the_models(error: Exception) -> bool:
    """Whether another model may do better. A fault of the request, of the account or of the way to
    Cloudflare is the same for all."""
    if isinstance(error, Unreachable):
        return error.sent
    if isinstance(error, TimedOut):
        return error.phase not in ("connect", "pool")
    return isinstance(error, _OF_THE_MODEL)


def note_failure(model: ModelRecord, error: WorkersAIError) -> None:
    """What a failure before the first byte says of a model, for the requests that follow."""
    if isinstance(error, ModelNotForAccount):
        note_refusal(model, error)
    if not is_the_models(error):
        return
    if isinstance(error, ModelMissing | ModelNotForAccount):
        rest_s: float | None = GONE_S
    else:
        rest_s = error.retry_after_s if isinstance(error, Refused) else None
    breaker.failed(model.name, str(error), at_least_s=rest_s)
