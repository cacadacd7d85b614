"""Notes in the catalog what a refusal says of the account's access to a model, and when it changes.

Beside the request, which does not wait for it; once a model and process, as all workers learn it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from catalog import access
from catalog.models import BY_REQUEST, OPEN, PAID_PLAN, TERMS
from catalog.snapshot import ModelRecord
from openai_api.from_database import ask_database
from workers_ai.errors import LicenceNotAccepted, ModelNotForAccount

logger = logging.getLogger(__name__)

PAID_PLAN_CODE: Final = 5035

_running: set[asyncio.Task[None]] = set()
# By model: what was noted last and when, so that a thousand refusals are one change. The catalog in
# memory has it a few seconds later.
_noted: dict[str, tuple[str, float]] = {}
SEEN_AFTER_S: Final = 30.0


def note_refusal(model: ModelRecord, error: ModelNotForAccount) -> None:
    """Marks the model, for operators and in the list of models."""
    if isinstance(error, LicenceNotAccepted):
        kind = TERMS
    else:
        kind = PAID_PLAN if error.code == PAID_PLAN_CODE else BY_REQUEST
    if model.access != kind and _is_news(model.name, kind):
        _begin(access.note, model.name, kind, error.message)


def note_answer(model: ModelRecord) -> None:
    """For a marked model that answered: the account may use it by now."""
    if _is_news(model.name, OPEN):
        _begin(access.clear, model.name)


def _is_news(name: str, kind: str) -> bool:
    now = time.monotonic()
    noted, noted_at = _noted.get(name, ("", -SEEN_AFTER_S))
    if noted == kind and now - noted_at < SEEN_AFTER_S:
        return False
    _noted[name] = (kind, now)
    return True


def _begin(change: Callable[..., None], *arguments: Any) -> None:
    task = asyncio.get_running_loop().create_task(_changed(change, *arguments))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _changed(change: Callable[..., None], name: str, *arguments: Any) -> None:
    try:
        await ask_database(change, name, *arguments)
    except Exception as error:
        _noted.pop(name, None)  # the next refusal tries again
        logger.warning("The access to %s could not be noted: %s", name, type(error).__name__)
