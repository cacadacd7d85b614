"""`POST /v1/embeddings`: batches side by side, joined in the order of the texts."""

import re
from functools import partial
from typing import Any

from catalog import learnt
from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.embeddings.normalise import embeddings_answer, entries
from openai_api.embeddings.request import EmbeddingsRequest, read
from openai_api.embeddings.translate import Batch, EmbeddingsPlan, translate
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.runs import TextRuns, side_by_side
from openai_api.use import token_estimate
from workers_ai.client import WorkersAIClient
from workers_ai.errors import BadInput, ContextTooLong, Refused, RequestTooLarge

# A model puts two tokens around each text.
TOKENS_AROUND_A_TEXT = 2


def most(asked: EmbeddingsRequest, plan: EmbeddingsPlan, model: ModelRecord) -> Quantities:
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.characters)
        + TOKENS_AROUND_A_TEXT * len(asked.texts),
        requests=len(plan.batches),
    )


async def whole(
    exchange: Exchange, asked: EmbeddingsRequest, plan: EmbeddingsPlan, client: WorkersAIClient
) -> Result:
    runs = TextRuns(exchange, client)

    async def embed(batch: Batch) -> bytes:
        def written(result: Any) -> tuple[bytes, int]:
            block = entries(
                result,
                first=batch.first,
                count=batch.count,
                dimensions=plan.dimensions,
                as_base64=asked.as_base64,
            )
            return block, 0

        try:
            return await runs.run(batch.body, characters=batch.characters, read=written)
        except Refused as refusal:
            if batch.count == 1 or not _is_too_large(refusal):
                raise
            exchange.attempts += refusal.attempts
            _learn(runs.model, refusal)
        # One after the other, so as not to overload a model that found both too large together.
        return b",".join([await embed(half) for half in batch.halves()])

    blocks = await side_by_side(
        (partial(embed, batch) for batch in plan.batches), to_their_end=exchange.others_stand_by
    )
    used = runs.metered()
    return Result(embeddings_answer(blocks, model=asked.model, usage=used.usage), used)


# "Length of '/text' must be <= 100", "batch size 120 > maximum allowed 100".
_BATCH = re.compile(r"'/text'.{0,40}\bmust be <=|\bbatch(?: size)?\b", re.IGNORECASE)


def _is_too_large(refusal: Refused) -> bool:
    """Whether fewer texts in one run may pass."""
    if isinstance(refusal, ContextTooLong | RequestTooLarge):
        return True
    return isinstance(refusal, BadInput) and _BATCH.search(refusal.message) is not None


def _learn(model: str, refusal: Refused) -> None:
    if refusal.tokens.window is not None:
        learnt.batch_tokens(model, refusal.tokens.window, refusal.message)


EMBEDDINGS: Endpoint[EmbeddingsRequest, EmbeddingsPlan] = Endpoint(
    name="embeddings",
    read=read,
    plan=translate,
    most=most,
    most_prompt_tokens=EmbeddingsPlan.most_prompt_tokens,
    whole=whole,
    prompt_param="input",
)


class EmbeddingsView(EndpointView):
    endpoint = EMBEDDINGS
