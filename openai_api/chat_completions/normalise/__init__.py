"""Reads Workers AI's chat answers, in any form: deltas in OpenAI's form come out, and usage."""

from openai_api.chat_completions.normalise.choice import Delta
from openai_api.chat_completions.normalise.expected import Expected
from openai_api.chat_completions.normalise.normaliser import ChatNormaliser, read_whole

__all__ = ["ChatNormaliser", "Delta", "Expected", "read_whole"]
