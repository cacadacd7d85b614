"""Rounds of Python's SDKs: `rounds.py ORIGIN KEY CASE:MODEL…` prints as JSON what came out of each.

It runs in an environment of its own, with nothing of the gateway's. In each round the model calls a
tool, hears its result and answers. One process for all, as starting it takes longest.
"""

import asyncio
import json
import sys
import traceback
from typing import Any

ASKED = "What is the weather in Paris?"
ORIGIN, KEY, *CASES = sys.argv[1:]
BASE_URL = f"{ORIGIN}/v1"


async def agents(model_name: str, api: str, streamed: bool) -> dict[str, Any]:
    from agents import (
        Agent,
        OpenAIChatCompletionsModel,
        OpenAIResponsesModel,
        Runner,
        SQLiteSession,
        function_tool,
        set_tracing_disabled,
    )
    from openai import AsyncOpenAI

    set_tracing_disabled(True)

    @function_tool
    def get_weather(city: str) -> str:
        """The weather at a place."""
        return f"Sunny in {city}"

    client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    kind = OpenAIResponsesModel if api == "responses" else OpenAIChatCompletionsModel
    agent = Agent(
        name="a", model=kind(model=model_name, openai_client=client), tools=[get_weather]
    )  # fmt: skip
    session = SQLiteSession("s")
    if streamed:
        run = Runner.run_streamed(agent, ASKED, session=session)
        kinds = [event.type async for event in run.stream_events()]
        assert "raw_response_event" in kinds
    else:
        run = await Runner.run(agent, ASKED, session=session)
    # What came before is sent again.
    again = await Runner.run(agent, "Say goodbye", session=session)
    usage = run.context_wrapper.usage
    return {"text": run.final_output, "again": again.final_output, "requests": usage.requests}


async def pydantic(model_name: str, api: str, streamed: bool) -> dict[str, Any]:
    from pydantic import BaseModel
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    model: Any
    if api == "messages":
        model = AnthropicModel(model_name, provider=AnthropicProvider(base_url=ORIGIN, api_key=KEY))
    else:
        kind = OpenAIResponsesModel if api == "responses" else OpenAIChatModel
        model = kind(model_name, provider=OpenAIProvider(base_url=BASE_URL, api_key=KEY))
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather at a place."""
        return f"Sunny in {city}"

    if streamed:
        async with agent.run_stream(ASKED) as run:
            text = "".join([piece async for piece in run.stream_text(delta=True)])
            history = run.all_messages()
    else:
        run = await agent.run(ASKED)
        text, history = run.output, run.all_messages()
    again = await agent.run("Say goodbye", message_history=history)

    class Bird(BaseModel):
        name: str
        legs: int

    bird = await Agent(model, output_type=Bird).run("Describe a bird")
    return {"text": text, "again": again.output, "bird": type(bird.output).__name__}


def anthropic(model_name: str, streamed: bool) -> dict[str, Any]:
    from anthropic import Anthropic, beta_tool

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather at a place.

        Args:
            city: a city
        """
        return f"Sunny in {city}"

    client = Anthropic(base_url=ORIGIN, api_key=KEY, max_retries=0)
    runner = client.beta.messages.tool_runner(
        model=model_name,
        max_tokens=2000,
        tools=[get_weather],
        messages=[{"role": "user", "content": ASKED}],
        stream=streamed,
    )
    for turn in runner:
        last = turn.get_final_message() if streamed else turn
    return {"text": last.content[-1].text, "stop": last.stop_reason}


def cohere(model_name: str) -> dict[str, Any]:
    import cohere

    asked: dict[str, Any] = {
        "model": model_name,
        "query": "Which animal barks?",
        "documents": ["A cat.", "A dog barks."],
        "top_n": 1,
    }
    found = cohere.ClientV2(api_key=KEY, base_url=ORIGIN).rerank(**asked)
    old = cohere.Client(api_key=KEY, base_url=ORIGIN).rerank(**asked)
    return {"results": len(found.results), "score": found.results[0].relevance_score > 0,
            "old": len(old.results)}  # fmt: skip


def result_of(case: str, model_name: str) -> dict[str, Any]:
    name, _, rest = case.partition("-")
    api, _, way = rest.partition("-")
    if name == "agents":
        return asyncio.run(agents(model_name, api, way == "stream"))
    if name == "pydantic":
        return asyncio.run(pydantic(model_name, api, way == "stream"))
    if name == "anthropic":
        return anthropic(model_name, api == "stream")
    return cohere(model_name)


results: dict[str, Any] = {}
for asked_for in CASES:
    case, _, model_name = asked_for.partition(":")
    try:
        results[asked_for] = result_of(case, model_name)
    except Exception:
        results[asked_for] = {"error": traceback.format_exc()[-2000:]}
print(json.dumps(results))
