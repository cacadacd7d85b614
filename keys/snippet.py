"""What an example of a client's settings is made of. Pure."""

from dataclasses import dataclass
from typing import Final

PLACEHOLDER: Final = "sk-wai-…"
# Agents offer tools and ask for long answers; more than this seldom comes of one.
MOST_ANSWER_TOKENS: Final = 32_000


@dataclass(frozen=True, slots=True)
class Model:
    """A model that examples name. `context_tokens` is its window, for prompt and answer."""

    name: str
    context_tokens: int

    @property
    def answer_tokens(self) -> int:
        """As much of the window as a client should set aside for an answer."""
        return min(MOST_ANSWER_TOKENS, self.context_tokens // 4)


# As the catalog has them; a test compares.
USUAL_MODEL: Final = Model("@cf/openai/gpt-oss-20b", 128_000)
USUAL_AGENT_MODEL: Final = Model("@cf/openai/gpt-oss-120b", 128_000)


@dataclass(frozen=True, slots=True)
class Target:
    """What an example is filled in with. `origin` is scheme and host, and the path below which the
    gateway is served, without a slash at its end: https://gateway.example.com."""

    origin: str
    key: str = PLACEHOLDER
    model: Model = USUAL_MODEL
    # For what calls tools.
    agent_model: Model = USUAL_AGENT_MODEL

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def agent_words(self) -> dict[str, str | int]:
        """The names by which templates of agents' settings take their values."""
        return {
            "origin": self.origin,
            "base_url": self.base_url,
            "key": self.key,
            "model": self.agent_model.name,
            "context": self.agent_model.context_tokens,
            "prompt": self.agent_model.context_tokens - self.agent_model.answer_tokens,
            "answer": self.agent_model.answer_tokens,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """A file or some commands. `where` is the file's path, empty for commands and code; `kind` is
    json, toml, yaml, sh, python or js."""

    where: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """One client: parts to copy as they are, or `steps` in its settings."""

    name: str
    parts: tuple[Part, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
