"""Translates an OpenAI chat request to Workers AI's payload for one model."""

from openai_api.chat_completions.translate.families import family_of
from openai_api.chat_completions.translate.plan import ChatPlan, Counted, body_of, translate
from openai_api.chat_completions.translate.settings import least_effort

__all__ = ["ChatPlan", "Counted", "body_of", "family_of", "least_effort", "translate"]
