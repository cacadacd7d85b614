"""What calls have used when nobody waits for them any more, which nobody knows.

Upstream was asked, and may charge for all of it: who hangs up before the answer pays for the prompt
and for as many tokens as a quick model writes in the time that passed, at most its limit. What is
charged by what is asked for (pictures, sound, embeddings) counts whole.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from openai_api.use.recording import Metered, metered_tokens
from openai_api.use.usage import Usage

# Small models write faster and large ones slower.
TOKENS_PER_SECOND: Final = 100


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True, eq=False)
class InFlight:
    """A call that upstream has been busy with from now on. `most_tokens` is the limit of its
    answer, of all its choices together; `picture_tokens` counts those of its pictures when needed.
    """

    model: str
    prompt_characters: int
    most_tokens: int
    picture_tokens: Callable[[], int] = int
    _since: float = field(default_factory=time.monotonic)

    def metered(self) -> Metered:
        """What it may have used by now."""
        passed_s = time.monotonic() - self._since
        return metered_tokens(
            self.model,
            Usage(completion_tokens=min(self.most_tokens, math.ceil(passed_s * TOKENS_PER_SECOND))),
            prompt_characters=self.prompt_characters,
            completion_characters=0,
            picture_tokens=self.picture_tokens(),
            partial=True,
        )
