"""`POST /v1/moderations`: each text is judged by itself, side by side."""

from functools import partial

from catalog import resolve as catalog
from catalog.errors import ModelNotFound
from catalog.pricing.costs import Quantities
from catalog.resolve import Allows
from catalog.snapshot import ModelRecord
from openai_api.base import EndpointView
from openai_api.exchange import Exchange
from openai_api.moderations.normalise import Verdict, moderation_answer, verdict_of
from openai_api.moderations.request import ModerationRequest, read
from openai_api.moderations.translate import (
    MOST_VERDICT_TOKENS,
    Judgement,
    ModerationPlan,
    translate,
)
from openai_api.pipeline import Endpoint, Result
from openai_api.runs import TextRuns, side_by_side
from openai_api.use import token_estimate
from workers_ai.client import WorkersAIClient

OPENAIS_MODELS = ("omni-moderation", "text-moderation")


def resolve(name: str, *, endpoint: str, allows: Allows) -> ModelRecord:
    """OpenAI's names of moderation models mean the catalog's newest, unless they are an alias."""
    try:
        return catalog.resolve(name, endpoint=endpoint, allows=allows)
    except ModelNotFound:
        if not name.startswith(OPENAIS_MODELS):
            raise
    return catalog.newest(endpoint=endpoint, called=name, allows=allows)


def most(asked: ModerationRequest, plan: ModerationPlan, model: ModelRecord) -> Quantities:
    calls = len(plan.judgements)
    return Quantities(
        prompt_tokens=token_estimate.prompt_tokens(model.name, plan.characters),
        completion_tokens=MOST_VERDICT_TOKENS * calls,
        requests=calls,
    )


async def whole(
    exchange: Exchange, asked: ModerationRequest, plan: ModerationPlan, client: WorkersAIClient
) -> Result:
    runs = TextRuns(exchange, client)

    async def judge(judgement: Judgement) -> Verdict:
        return await runs.run(
            judgement.body,
            characters=judgement.characters,
            read=verdict_of,
            most_tokens=MOST_VERDICT_TOKENS,
        )

    verdicts = await side_by_side(
        (partial(judge, judgement) for judgement in plan.judgements),
        to_their_end=exchange.others_stand_by,
    )
    return Result(moderation_answer(verdicts, model=asked.model), runs.metered())


MODERATIONS: Endpoint[ModerationRequest, ModerationPlan] = Endpoint(
    name="moderations",
    read=read,
    resolve=resolve,
    plan=translate,
    most=most,
    most_prompt_tokens=ModerationPlan.most_prompt_tokens,
    whole=whole,
    prompt_param="input",
)


class ModerationsView(EndpointView):
    endpoint = MODERATIONS
