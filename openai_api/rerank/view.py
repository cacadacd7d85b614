"""`POST /v1/rerank`: one run, and its scores in the form that other gateways use."""

from catalog.pricing.costs import Quantities
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.pipeline import Endpoint, Result
from openai_api.rerank.normalise import rerank_answer, scores_of
from openai_api.rerank.request import RerankRequest, read
from openai_api.rerank.translate import RerankPlan, translate
from openai_api.runs import TextRuns
from openai_api.use import token_estimate
from workers_ai.client import WorkersAIClient

# A model reads query and document as a pair, with tokens around and between them.
TOKENS_AROUND_A_PAIR = 4


def most(asked: RerankRequest, plan: RerankPlan, model: ModelRecord) -> Quantities:
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.characters)
        + TOKENS_AROUND_A_PAIR * len(asked.texts)
    )


async def whole(
    exchange: Exchange, asked: RerankRequest, plan: RerankPlan, client: WorkersAIClient
) -> Result:
    runs = TextRuns(exchange, client)
    scores = await runs.run(
        plan.body,
        characters=plan.characters,
        read=lambda result: (scores_of(result, documents=len(asked.texts)), 0),
    )
    used = runs.metered()
    return Result(rerank_answer(asked, scores, used.usage), used)


RERANK: Endpoint[RerankRequest, RerankPlan] = Endpoint(
    name="rerank",
    read=read,
    plan=translate,
    most=most,
    most_prompt_tokens=RerankPlan.most_prompt_tokens,
    whole=whole,
    prompt_param="documents",
)


class RerankView(EndpointView):
    endpoint = RERANK
