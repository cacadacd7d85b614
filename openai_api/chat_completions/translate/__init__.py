"""Translates an OpenAI chat request to Workers AI's payload for one model."""

from openai_api.chat_completions.translate.plan import (
    CHARACTERS_PER_TOKEN_AT_LEAST,
    ChatPlan,
    translate,
)

__all__ = ["CHARACTERS_PER_TOKEN_AT_LEAST", "ChatPlan", "translate"]
