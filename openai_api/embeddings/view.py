"""`POST /v1/embeddings`: batches side by side, joined in the order of the texts."""

from functools import partial
from typing import Any

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

# Each text is read between two tokens of its own, which nobody sees.
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

        return await runs.run(batch.body, characters=batch.characters, read=written)

    blocks = await side_by_side(partial(embed, batch) for batch in plan.batches)
    used = runs.metered()
    return Result(embeddings_answer(blocks, model=asked.model, usage=used.usage), used)


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
