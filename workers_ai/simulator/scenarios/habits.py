"""What single models insist on: requests in any other form are refused, as their servers do."""

from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.replies import AnyReply, failure, model_message
from workers_ai.simulator.scenarios.registry import Params, Proceed, scenario

CJK_FROM = 0x2E80


def tokens_of(text: str) -> int:
    """As a tokenizer of many languages counts: a CJK character each, four others together."""
    dense = sum(1 for character in text if ord(character) >= CJK_FROM)
    return dense + (len(text) - dense + 3) // 4


@scenario(
    "batch-tokens",
    "an embedding model that takes only so many tokens in one run",
    "16.2",
    tokens=60000,
)
async def batch_tokens(call: Call, proceed: Proceed, params: Params) -> AnyReply:
    texts: Any = call.json_object().get("text")
    asked = sum(tokens_of(text) for text in texts) if isinstance(texts, list) else 0
    most = params.count("tokens")
    if asked <= most:
        return await proceed()
    words = f"AiError: Max context reached {asked} tokens but model supports only {most}"
    return failure(400, 3030, model_message(words))
