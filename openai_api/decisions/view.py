"""`POST /v1/decisions`: runs side by side, and their answers in the order of the questions."""

from functools import partial
from typing import Any

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.chat_completions.pictures import inline_parts
from openai_api.decisions.normalise import answers_of, decision
from openai_api.decisions.request import DecisionRequest, read
from openai_api.decisions.translate import (
    MOST_TOKENS_OF_A_PICTURE,
    Batch,
    DecisionPlan,
    translate,
)
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.runs import TextRuns, side_by_side
from openai_api.use import token_estimate
from workers_ai.client import WorkersAIClient


async def fetch(exchange: Exchange, asked: DecisionRequest) -> bool:
    return await inline_parts(exchange, asked.pictures)


def most(asked: DecisionRequest, plan: DecisionPlan, model: ModelRecord) -> Quantities:
    pictures = plan.pictures * len(plan.batches) * MOST_TOKENS_OF_A_PICTURE
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.characters) + pictures,
        requests=len(plan.batches),
    )


async def whole(
    exchange: Exchange, asked: DecisionRequest, plan: DecisionPlan, client: WorkersAIClient
) -> Result:
    runs = TextRuns(exchange, client)

    async def decide(batch: Batch) -> list[dict[str, Any]]:
        return await runs.run(
            batch.body,
            characters=batch.characters,
            read=lambda result: (answers_of(result, batch.questions, batch.first), 0),
        )

    batches = await side_by_side(
        (partial(decide, batch) for batch in plan.batches), to_their_end=exchange.others_stand_by
    )
    used = runs.metered()
    answers = [answer for batch in batches for answer in batch]
    body = decision(answers, model=asked.model, usage=used.usage)
    return Result(body, used)


DECISIONS: Endpoint[DecisionRequest, DecisionPlan] = Endpoint(
    name="decisions",
    read=read,
    plan=translate,
    most=most,
    fetch=fetch,
    most_prompt_tokens=DecisionPlan.most_prompt_tokens,
    whole=whole,
    prompt_param="input",
)


class DecisionsView(EndpointView):
    endpoint = DECISIONS
