"""Reads Workers AI's chat answers, in any form: deltas in OpenAI's form come out, and usage."""

from openai_api.chat_completions.normalise.normaliser import ChatNormaliser, Delta, Expected

__all__ = ["ChatNormaliser", "Delta", "Expected"]
