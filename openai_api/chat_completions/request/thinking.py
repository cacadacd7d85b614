"""How much a model is to think, by the names that clients have for it. Pure."""

from typing import Any

from openai_api.wire.declared import Boolean, Choice, Object, WholeNumber

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Up to how many tokens of thought an effort is meant by a budget.
LOW_BUDGET_TOKENS, MEDIUM_BUDGET_TOKENS = 2048, 8192
# The names of the switch in `chat_template_kwargs`, by the templates of different models.
SWITCHES = ("enable_thinking", "thinking")


class Reasoning:
    effort = Choice(EFFORTS)
    max_tokens = WholeNumber(0, about="A budget of tokens, told to the model as an effort.")
    enabled = Boolean()
    exclude = Boolean()


class Thinking:
    type = Choice(("enabled", "disabled", "adaptive", "auto"))
    budget_tokens = WholeNumber(0, about="Told to the model as an effort.")


class ThinkingFields:
    reasoning_effort = Choice(EFFORTS, "Translated to what the model knows.")
    reasoning = Object("OpenRouter's form of `reasoning_effort`.", members=Reasoning)
    include_reasoning = Boolean("False leaves thoughts out of the answer.")
    thinking = Object("Z.ai's, Moonshot's and DeepSeek's form.", members=Thinking)
    enable_thinking = Boolean("Alibaba's form: whether the model thinks at all.")


def effort_of(body: dict[str, Any]) -> str | None:
    """The effort that is asked for, by a word or by a budget; the most exact field counts."""
    effort = ThinkingFields.reasoning_effort(body)
    reasoning = ThinkingFields.reasoning(body) or {}
    thinking = ThinkingFields.thinking(body) or {}
    effort = effort or Reasoning.effort(reasoning)
    if effort is not None or switched(body) is False:
        return effort
    budget = Reasoning.max_tokens(reasoning)
    if budget is None:
        budget = Thinking.budget_tokens(thinking)
    return None if budget is None else effort_of_budget(budget)


def switched(body: dict[str, Any]) -> bool | None:
    """Whether thinking is switched on or off, apart from an effort; None where nothing says so."""
    enabled = Reasoning.enabled(ThinkingFields.reasoning(body) or {})
    if enabled is not None:
        return enabled
    kind = Thinking.type(ThinkingFields.thinking(body) or {})
    if kind is not None:
        return kind != "disabled"
    return ThinkingFields.enable_thinking(body)


def switched_in(template: dict[str, Any]) -> bool | None:
    """What `chat_template_kwargs` says of it."""
    for name in SWITCHES:
        value = template.get(name)
        if isinstance(value, bool):
            return value
    return None


def effort_of_budget(tokens: int) -> str:
    if tokens == 0:
        return "none"
    if tokens <= LOW_BUDGET_TOKENS:
        return "low"
    return "medium" if tokens <= MEDIUM_BUDGET_TOKENS else "high"


def hides_thoughts(body: dict[str, Any]) -> bool:
    """Whether the caller wants no thoughts: vLLM's `include_reasoning`, OpenRouter's `exclude`."""
    included = ThinkingFields.include_reasoning(body)
    reasoning = ThinkingFields.reasoning(body) or {}
    return included is False or bool(reasoning.get("exclude"))
