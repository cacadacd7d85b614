"""Limits as operators set them, and who shares them, as requests have them in memory. Pure."""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a key or an owner. None means no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    daily_budget_nano_usd: int | None = None
    monthly_budget_nano_usd: int | None = None
    total_budget_nano_usd: int | None = None
    daily_neurons_micro: int | None = None

    @property
    def have_rates(self) -> bool:
        rates = (self.requests_per_minute, self.tokens_per_minute, self.concurrency)
        return any(limit is not None for limit in rates)

    @property
    def have_budgets(self) -> bool:
        usd = (self.daily_budget_nano_usd, self.monthly_budget_nano_usd, self.total_budget_nano_usd)
        return any(limit is not None for limit in (*usd, self.daily_neurons_micro))


NO_LIMITS: Final = Limits()

# A limit of `user` is one for each person behind a key: its holder is the key.
HolderKind = Literal["key", "owner", "team", "everybody", "user"]
ScopeKind = HolderKind | Literal["reads", "service"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose requests are counted together: those of one key, of all keys of one owner, of a team,
    of everybody, or of one person behind a key, on some models or on all; or what a key reads about
    itself and its models; or those of a token for the management API.
    """

    kind: ScopeKind
    # Of the key where the kind is "user".
    id: int
    limits: Limits
    # Patterns of the models that count; empty means all.
    models: tuple[str, ...] = ()
    # The team's, or that of the person behind the key as the client names them.
    name: str = field(default="", compare=False)
    # Identifies what is counted. ASCII, whatever models and persons are called.
    counted_as: str = field(init=False)

    def __post_init__(self) -> None:
        counted_as = f"{self.kind}:{self.id}"
        if self.kind == "user":
            counted_as += f":{digest(self.name)}"
        if self.models:
            counted_as += f":{digest(*self.models)}"
        object.__setattr__(self, "counted_as", counted_as)

    @property
    def words(self) -> str:
        return holder_words(self.kind, self.name, self.models)


def holder_words(kind: ScopeKind, name: str = "", models: tuple[str, ...] = ()) -> str:
    """Whose limit it is and on which models, as a refusal says it to who has been refused. `name`
    is that of a team, or of the person behind a key, or what tells the holder from everybody.
    """
    if kind == "team":
        whose = f"the team {name}" if name else "this team"
    elif kind == "user":
        whose = f"the user {name} of this API key" if name else "each user of this API key"
    else:
        whose = name or _WORDS[kind]
    return f"{whose} on {', '.join(models)}" if models else whose


_WORDS: Final = {
    "key": "this API key",
    "owner": "all API keys of this owner",
    "everybody": "everybody",
    "reads": "reading with this API key",
    "service": "this service token",
}


def digest(*texts: str) -> str:
    text = "\0".join(texts).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=12).hexdigest()
