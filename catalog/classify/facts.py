"""What the catalog knows of a model: which endpoints can run it, and how they call it. Pure.

`by_task.py` decides it, the database keeps it as JSON, and `catalog/snapshot.py` holds it in memory
for requests.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from catalog.entry import whole_number

CHAT = frozenset({"chat", "completions", "responses", "messages"})
ENDPOINTS = CHAT | {
    "embeddings",
    "images",
    "image_edits",
    "transcriptions",
    "translations",
    "speech",
    "moderations",
    "rerank",
    "decisions",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A scalar field of the schema and the values it takes; None where the schema does not say."""

    kind: str  # integer, number, string, boolean
    minimum: float | None = None
    maximum: float | None = None
    default: float | str | bool | None = None
    choices: tuple[str, ...] = ()

    @property
    def whole_default(self) -> int | None:
        return _whole(self.default)

    @property
    def whole_maximum(self) -> int | None:
        return _whole(self.maximum)


def _whole(value: object) -> int | None:
    return whole_number(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """How to build a request for a picture."""

    transport: str = "json"  # json, multipart
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    steps_field: str | None = None
    prompt_min_length: int | None = None
    prompt_max_length: int | None = None
    # An input picture: whether one may be sent, must be, and in which fields.
    takes_image: bool = False
    needs_image: bool = False
    takes_mask: bool = False
    needs_mask: bool = False
    image_fields: tuple[str, ...] = ()
    max_input_images: int = 0
    # The model rejects every field that its schema does not list.
    closed: bool = False

    @property
    def takes_size(self) -> bool:
        return "width" in self.parameters and "height" in self.parameters

    @property
    def default_steps(self) -> int | None:
        """What upstream uses when a request has no steps; None when the schema does not say."""
        steps = self.parameters.get(self.steps_field or "")
        return steps.whole_default if steps else None


@dataclass(frozen=True, slots=True)
class ReasoningEffort:
    supported: tuple[str, ...] = ()
    default: str | None = None
    default_enabled: bool | None = None
    mandatory: bool = False
    # Other words and what upstream makes of them; "null" stands for a missing effort.
    normalizes_to: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatFacts:
    dialect: str = "legacy"  # legacy, openai
    schema_known: bool = False
    takes_content_parts: bool = False
    vision: bool = False
    # Where a picture goes: "parts" of a message's content, or one "top_level" field `image`.
    image_input: str | None = None
    tools: bool = False
    reasoning: bool = False
    reasoning_effort: ReasoningEffort | None = None
    json_mode: bool = False
    guided_json: bool = False
    lora: bool = False
    default_max_tokens: int | None = None
    max_output_tokens: int | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    # The fields that clients may send, by the names OpenRouter gives them.
    supported_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingFacts:
    dimensions: int | None = None
    max_batch: int | None = None
    max_input_tokens: int | None = None
    poolings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """Speech in or out: in which form the bytes or the text are sent."""

    # Speech in: binary (raw body), json_base64, stream_object (raw body, options in the query).
    sent_as: str | None = None
    # Speech out: the field that takes the text, and the one that takes the voice.
    text_field: str | None = None
    voice_field: str | None = None
    voices: tuple[str, ...] = ()
    default_voice: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """How much one run takes of a model that answers typed questions."""

    most_questions: int = 64
    most_images: int = 0


@dataclass(frozen=True, slots=True)
class Classification:
    endpoints: frozenset[str] = frozenset()
    # Endpoint → why the model cannot be run there although it nearly fits.
    refusals: Mapping[str, str] = field(default_factory=dict)
    context_window: int | None = None
    capabilities: frozenset[str] = frozenset()
    image: ImageRecipe | None = None
    chat: ChatFacts | None = None
    embeddings: EmbeddingFacts | None = None
    audio: AudioFacts | None = None
    decisions: DecisionFacts | None = None


# --- To and from JSON -------------------------------------------------------------------------


Facts = TypeVar("Facts")


def classification_to_json(classification: Classification) -> dict[str, Any]:
    """Deterministic: equal classifications give equal JSON. Empty parts are left out."""
    whole = asdict(classification)
    whole["endpoints"] = sorted(classification.endpoints)
    whole["capabilities"] = sorted(classification.capabilities)
    return {name: _plain(value) for name, value in whole.items() if value not in (None, [], {})}


def classification_from_json(stored: Mapping[str, Any]) -> Classification:
    """Accepts what another release stored: ignores unknown names, fills missing ones in."""
    return Classification(
        endpoints=frozenset(stored.get("endpoints", ())) & ENDPOINTS,
        refusals=dict(stored.get("refusals", {})),
        context_window=stored.get("context_window"),
        capabilities=frozenset(stored.get("capabilities", ())),
        image=_from_json(ImageRecipe, stored.get("image")),
        chat=_from_json(ChatFacts, stored.get("chat")),
        embeddings=_from_json(EmbeddingFacts, stored.get("embeddings")),
        audio=_from_json(AudioFacts, stored.get("audio")),
        decisions=_from_json(DecisionFacts, stored.get("decisions")),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _from_json(kind: type[Facts], stored: Mapping[str, Any] | None) -> Facts | None:
    if stored is None:
        return None
    values: dict[str, Any] = {}
    for known in fields(kind):  # type: ignore[arg-type]
        if known.name not in stored:
            continue
        value = stored[known.name]
        if known.name == "parameters":
            value = {name: _from_json(Parameter, inner) for name, inner in value.items()}
        elif known.name == "reasoning_effort":
            value = _from_json(ReasoningEffort, value)
        elif isinstance(value, list):
            value = tuple(value)
        values[known.name] = value
    return kind(**values)
