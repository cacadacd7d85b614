"""What single model families need, where neither their schema nor the catalog tells. Data and
look-ups, pure.

Source: what Cloudflare's own Python client changes by family, and what its documentation says of
reasoning (read up to October 2026). Everything that the catalog tells is taken from the catalog
instead.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """`drops`: fields that make these models fail. `limit_field`: where the output limit goes."""

    drops: frozenset[str] = frozenset()
    limit_field: str = "max_tokens"
    # Earlier tool calls are repeated in the content, else multi-turn tool use degrades.
    repeats_calls_in_content: bool = False
    # Thoughts come in the text between <think> tags, with or without the opening one.
    thinks_in_text: bool = False
    # Thinking is switched by chat_template_kwargs under this name.
    thinking_switch: str = ""


PLAIN = Family()

# The first entry whose words all occur in the model's name counts.
FAMILIES: tuple[tuple[tuple[str, ...], Family], ...] = (
    (
        ("glm-4.7-flash",),
        Family(
            drops=frozenset({"max_tokens", "top_k", "repetition_penalty", "tool_choice"}),
            limit_field="max_completion_tokens",
            thinking_switch="enable_thinking",
        ),
    ),
    (("glm-5.2",), Family(drops=frozenset({"top_k", "repetition_penalty"}))),
    (("deepseek-r1-distill",), Family(thinks_in_text=True)),
    (("qwq",), Family(thinks_in_text=True)),
    (("qwen3-30b",), Family(thinking_switch="enable_thinking")),
    (("nemotron-3",), Family(thinking_switch="enable_thinking")),
    (("mistral",), Family(drops=frozenset({"tool_choice"}))),
    (("llama",), Family(repeats_calls_in_content=True)),
)


def family_of(model: str) -> Family:
    """The family of a model by its name."""
    name = model.lower()
    for words, family in FAMILIES:
        if all(word in name for word in words):
            return family
    return PLAIN
