"""Translates an OpenAI chat request to Workers AI's payload for one model."""

from openai_api.chat_completions.translate.plan import ChatPlan, body_of, translate

__all__ = ["ChatPlan", "body_of", "translate"]
