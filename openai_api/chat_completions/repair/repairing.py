"""One request's repairs: at most one of a kind, each learnt once it helped."""

from typing import Any, Final

from catalog import learnt
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.repair.kinds import KINDS, LIMIT_FIELDS, Payload, Repair
from openai_api.chat_completions.repair.limit import fitting_limit, note_ceilings
from openai_api.chat_completions.request import ChatRequest
from workers_ai.errors import BadInput, LimitTooLarge

# Each is one more call upstream, which the client waits for.
MOST_REPAIRS: Final = 4
# A prompt that upstream did not count to its end may be longer than it said first. The last try
# then asks for one token: what is refused after it does not fit.
MOST_LIMITS: Final = 3

_BY_NAME: Final = {kind.name: kind for kind in KINDS}


class Repairs:
    """The payload of one request as it may be sent, from the first try to the last.

    Begins with what is known of the model. `unstreamed`: it must not be streamed.
    """

    def __init__(
        self,
        payload: Payload,
        asked: ChatRequest,
        model: ModelRecord,
        *,
        limit_may_shrink: bool,
    ) -> None:
        self.payload = payload
        self.unstreamed = False
        self._asked = asked
        self._model = model
        self._limit_may_shrink = limit_may_shrink
        self._done: list[str] = []
        self._limits = 0
        # Kinds that were just tried, with the words that asked for them.
        self._unproven: list[tuple[Repair, str]] = []
        for name in learnt.of(model.name).habits:
            self._apply(_BY_NAME[name], None)

    def after(self, refusal: BadInput) -> bool:
        """Takes in a refusal; whether the payload changed, so that another try is worth it."""
        note_ceilings(self._model.name, refusal, listed_window=self._model.context_window)
        if len(self._done) + self._limits >= MOST_REPAIRS:
            return False
        if self._lower_limit(refusal):
            return True
        for kind in KINDS:
            if kind.name in self._done or not kind.says.search(refusal.message):
                continue
            if self._apply(kind, refusal):
                self._unproven.append((kind, refusal.message))
                return True
        return False

    def helped(self) -> None:
        """Upstream took the payload: what was changed for it is what the model wants."""
        for kind, words in self._unproven:
            if kind.lasts:
                learnt.habit(self._model.name, kind.name, words)
        self._unproven.clear()

    def _lower_limit(self, refusal: BadInput) -> bool:
        field = next((name for name in LIMIT_FIELDS if name in self.payload), "")
        limit: Any = self.payload.get(field)
        if self._limits >= MOST_LIMITS or not isinstance(limit, int):
            return False
        is_last = self._limits + 1 == MOST_LIMITS
        lower = fitting_limit(refusal, limit, may_shrink=self._limit_may_shrink, is_last=is_last)
        if lower is None:
            return False
        self._limits += 1
        # A limit above the model's ceiling was never the client's to keep.
        self._limit_may_shrink = self._limit_may_shrink or isinstance(refusal, LimitTooLarge)
        self.payload = {**self.payload, field: lower}
        return True

    def _apply(self, kind: Repair, refusal: BadInput | None) -> bool:
        if kind.unstreamed and self.unstreamed:
            return False
        changed = kind.change(self.payload, self._asked, refusal)
        if changed is None:
            return False
        self.payload = changed
        self.unstreamed = self.unstreamed or kind.unstreamed
        if refusal is not None:
            self._done.append(kind.name)
        return True
