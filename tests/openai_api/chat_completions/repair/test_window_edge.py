"""Conversations around the edge of a window: in whatever script, none that fits is refused."""

import random
from collections.abc import Iterator

import pytest

from catalog import learnt
from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.repair import Repairs
from openai_api.chat_completions.request import read
from openai_api.chat_completions.translate import translate
from openai_api.errors import BadRequest
from workers_ai.errors import BadInput
from workers_ai.failures.reader import refusal

WINDOW = 2_000
# Characters a token, as tokenizers have them for these texts; drawn anew for each conversation.
TEXTS = {
    "word ": (3.5, 5.5),
    "字": (0.7, 1.3),
    "7": (1.0, 3.0),
    "if (x[1] != 2) {}\n": (1.5, 3.0),
    "Слово ": (1.8, 3.2),
    "    ": (2.0, 16.0),
}
WORDINGS = (
    "The estimated number of input and maximum output tokens ({total}) exceeded this model context "
    "window limit ({window}).",
    "This model's maximum context length is {window} tokens. However, you requested {limit} output "
    "tokens and your prompt contains {prompt} input tokens, for a total of {total} tokens.",
    "This model's maximum context length is {window} tokens. However, you requested {limit} output "
    "tokens and your prompt contains at least {counted} input tokens, for a total of at least "
    "{total} tokens.",
    "Requested token count exceeds the model's maximum context length of {window} tokens. You "
    "requested a total of {total} tokens: {prompt} tokens from the input messages and {limit} "
    "tokens for the completion.",
)


@pytest.fixture(autouse=True)
def nothing_is_learnt() -> Iterator[None]:
    learnt.forget()
    yield
    learnt.forget()


def upstreams_refusal(prompt: int, limit: int, wording: str) -> BadInput:
    # Some servers stop counting a prompt where it is surely too long with its limit.
    counted = min(prompt, WINDOW - limit + 1)
    words = wording.format(
        total=prompt + limit, window=WINDOW, limit=limit, prompt=prompt, counted=counted
    )
    error = refusal({"errors": [{"message": words, "code": 8007}]}, status=400)
    assert isinstance(error, BadInput)
    return error


def is_answered(text: str, prompt: int, wording: str, *, asked: int | None) -> bool:
    model = ModelRecord("@cf/acme/m", context_window=WINDOW, chat=ChatFacts(dialect="openai"))
    body = {"model": model.name, "messages": [{"role": "user", "content": text}]}
    request = read({**body, "max_tokens": asked} if asked else body)
    request.limit_may_shrink = asked is not None
    try:
        plan = translate(request, model, default_max_tokens=None)
    except BadRequest:
        return False
    repairs = Repairs(
        plan.payload,
        request,
        model,
        limit_may_shrink=plan.limit_may_shrink,
    )
    while prompt + repairs.payload["max_tokens"] > WINDOW:
        if not repairs.after(upstreams_refusal(prompt, repairs.payload["max_tokens"], wording)):
            return False
    return True


@pytest.mark.parametrize("asked", [None, 32_000], ids=["no limit", "an agent's limit"])
@pytest.mark.parametrize("wording", range(len(WORDINGS)))
def test_no_conversation_that_fits_is_refused(wording: int, asked: int | None) -> None:
    dice = random.Random(wording)
    for _ in range(250):
        piece, (low, high) = dice.choice(list(TEXTS.items()))
        prompt = dice.randint(WINDOW // 2, WINDOW + 100)
        characters = int(prompt * dice.uniform(low, high))
        text = (piece * (characters // len(piece) + 1))[:characters]
        fits = prompt < WINDOW
        answered = is_answered(text, prompt, WORDINGS[wording], asked=asked)
        assert answered == fits, (piece, prompt, characters)
