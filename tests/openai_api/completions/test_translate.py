"""A prompt for models with messages, and for the few without."""

from typing import Any

import orjson

from catalog.classify.facts import CHAT, ChatFacts, Parameter
from catalog.snapshot import ModelRecord
from openai_api.completions.request import read
from openai_api.completions.translate import run_body, translate

FACTS = ChatFacts(schema_known=True, parameters={"seed": Parameter("integer")})


def plan_for(model: ModelRecord, **fields: Any) -> Any:
    asked = read({"model": model.name, "prompt": "Once", **fields})
    return translate(asked, model, default_max_tokens=100)


def test_a_chat_model_gets_a_message() -> None:
    plan = plan_for(ModelRecord("m", endpoints=CHAT, chat=FACTS), max_tokens=9)
    [call] = plan.calls
    assert plan.takes_messages
    assert call.payload == {
        "model": "m",
        "messages": [{"role": "user", "content": "Once"}],
        "max_tokens": 9,
    }


def test_a_model_without_messages_gets_the_prompt() -> None:
    record = ModelRecord("m", endpoints=frozenset({"completions"}), chat=FACTS)
    plan = plan_for(record, n=2, seed=3, temperature=0.5)
    assert not plan.takes_messages
    assert [orjson.loads(run_body(call)) for call in plan.calls] == [
        {"prompt": "Once", "max_tokens": 100, "temperature": 0.5, "seed": seed} for seed in (3, 4)
    ]
