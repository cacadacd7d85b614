"""What single model families need, where neither their schema nor the catalog says so. Data and a
look-up, pure.

Source: what Cloudflare's own Python client changes by family, and what its documentation says of
reasoning (read up to October 2026). What the catalog says is taken from the catalog instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Family:
    """`drops`: fields that make these models fail. `limit_field`: where the output limit goes."""

    drops: frozenset[str] = frozenset()
    limit_field: str = "max_tokens"
    # Earlier tool calls are repeated in the content, else multi-turn tool use degrades.
    repeats_calls_in_content: bool = False
    # Structured output is asked for by `guided_json` in place of `response_format`.
    guides_json: bool = False
    # Each property of a tool must name one type, as in the schemas of the older models.
    types_properties: bool = False
    # Thoughts come in the text between <think> tags, with or without the opening one.
    thinks_in_text: bool = False
    # Thinking is switched on and off by chat_template_kwargs under this name.
    thinking_switch: str = ""
    # … and made shorter under this one.
    low_effort_switch: str = ""
    # Efforts by the words that clients use; an effort that is not here is not sent. None: unknown.
    efforts: Mapping[str, str] | None = None


PLAIN = Family()
NO_CONTROL: Mapping[str, str] = {}


def _efforts(**words: str) -> dict[str, str]:
    """Upstream's word for each of OpenAI's: `low="none minimal low"` maps three words to `low`."""
    return {asked: sent for sent, all_asked in words.items() for asked in all_asked.split()}


# The first entry whose word occurs in the model's name counts.
FAMILIES: tuple[tuple[str, Family], ...] = (
    (
        "glm-4.7-flash",
        Family(
            drops=frozenset({"max_tokens", "top_k", "repetition_penalty", "tool_choice"}),
            limit_field="max_completion_tokens",
            thinking_switch="enable_thinking",
        ),
    ),
    (
        "glm-5.2",
        Family(
            drops=frozenset({"top_k", "repetition_penalty"}),
            efforts=_efforts(none="none minimal", high="low medium high", max="xhigh max"),
        ),
    ),
    (
        "glm-5.3",
        Family(efforts=_efforts(low="low", high="high", max="none minimal medium xhigh max")),
    ),
    (
        "gpt-oss",
        Family(
            efforts=_efforts(low="none minimal low", medium="medium", high="high xhigh max"),
            types_properties=True,
        ),
    ),
    ("kimi-k2.7-code", Family(efforts=NO_CONTROL)),
    (
        "kimi",
        Family(
            efforts=_efforts(none="none minimal", high="low medium high xhigh max"),
        ),
    ),
    (
        "gemma-4",
        Family(efforts=_efforts(none="none minimal", high="low medium high xhigh max")),
    ),
    (
        "deepseek-v4",
        Family(
            efforts=_efforts(none="none", low="minimal low", high="medium high xhigh", max="max")
        ),
    ),
    (
        "qwen3.8",
        Family(efforts=_efforts(low="none minimal low", medium="medium", xhigh="high xhigh max")),
    ),
    ("qwen3-30b", Family(thinking_switch="enable_thinking")),
    (
        "nemotron-3",
        Family(thinking_switch="enable_thinking", low_effort_switch="low_effort"),
    ),
    # Names of distilled models also contain `qwen` or `llama`, so this stands before those.
    ("deepseek-r1-distill", Family(thinks_in_text=True, efforts=NO_CONTROL)),
    ("qwq", Family(thinks_in_text=True, efforts=NO_CONTROL)),
    # By its author: models that others derived from Mistral's take what their own schema says.
    ("/mistral", Family(drops=frozenset({"tool_choice"}), guides_json=True)),
    ("llama", Family(repeats_calls_in_content=True)),
)


@lru_cache(maxsize=4096)
def family_of(model: str) -> Family:
    """The family of a model by its name."""
    name = model.lower()
    for word, family in FAMILIES:
        if word in name:
            return family
    return PLAIN
