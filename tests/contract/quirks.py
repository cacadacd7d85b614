"""What a client has to make of each odd stream that is a whole answer all the same, and of its twin
that breaks.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.openai_api.chats import OPENAI, THINK, VLLM, WEATHER_TOOL, chat_body

TURTLES = "żółw 7 🐢🐢"
PARIS = {"location": "Paris"}


@dataclass(frozen=True)
class Quirk:
    """A scenario, how it is asked for, and what comes of it."""

    scenario: str
    text: str = ""
    reasoning: str = ""
    calls: int = 0
    finish_reason: str = "stop"
    asking: str = "Say it"
    model: str = OPENAI
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.scenario.partition(" ")[0]

    @property
    def body(self) -> dict[str, Any]:
        return chat_body(f"{self.asking} [simulate {self.scenario}]", self.model, **self.fields)

    def __str__(self) -> str:
        return self.scenario.replace(" ", "-")


def _called(scenario: str, calls: int = 1, **fields: Any) -> Quirk:
    return Quirk(
        scenario,
        calls=calls,
        finish_reason="tool_calls",
        asking="What is the weather in Paris?",
        fields={"tools": [WEATHER_TOOL], **fields},
    )


def _bytes(scenario: str) -> Quirk:
    return Quirk(scenario, TURTLES, asking=f"Say {TURTLES}")


_THOUGHT = "We need to greet."

QUIRKS = [
    Quirk("legacy-chunks", "Hello world"),
    Quirk("batched-legacy-chunks", "Hello world"),
    Quirk("number-deltas", "6 0.50 3.10 3e+50 155724 true false "),
    Quirk("number-deltas-legacy", "155724 0.50 3e+50 true"),
    Quirk("no-index", "**Bold**"),
    Quirk("bare-deltas", "**Bold**"),
    Quirk("changing-id", "Seen.", "Let me see."),
    Quirk("usage-increments", "Hi!"),
    Quirk("usage-cumulative", "Hi!"),
    Quirk("trailing-legacy-usage", "Hi!"),
    Quirk("empty-choices-usage", "Hi!"),
    Quirk("sglang-frames", "Hi!"),
    Quirk("reasoning-field", "Hi!", _THOUGHT),
    Quirk("reasoning-field field=reasoning_content", "Hi!", _THOUGHT),
    Quirk("inline-think", "Hi!", _THOUGHT, model=THINK),
    Quirk("inline-think opened=no", "Hi!", _THOUGHT, model=THINK),
    Quirk("inline-think-legacy", "Hi!", _THOUGHT, model=THINK),
    Quirk("reasoning-only", "", "Let me see", finish_reason="length"),
    Quirk("moondream-events", "Network Settings"),
    Quirk("one-delta", "All of it at once."),
    Quirk("finish-reason value=model_length", "Hi!", finish_reason="length"),
    Quirk("finish-reason value=MAX_TOKENS", "Hi!", finish_reason="length"),
    Quirk("finish-reason value=unknown", "Hi!"),
    Quirk("no-finish-reason", "Hi!"),
    Quirk("finish-on-usage", "Hi!"),
    Quirk("two-finishes", "Hi!", finish_reason="length"),
    Quirk("no-done", "Hi!"),
    Quirk("double-done", "Hi!"),
    Quirk("cut-after-end after=finish", "Hi!"),
    Quirk("cut-after-end after=DONE", "Hi!"),
    Quirk("only-done", "hello", asking="Say hello"),
    Quirk("json-for-stream", "Not a stream."),
    Quirk("json-for-stream shape=legacy", "Not a stream."),
    Quirk("json-for-stream shape=empty", "hello", asking="Say hello"),
    Quirk("slow-first-token seconds=0.1", "hello", asking="Say hello"),
    Quirk("huge-event", "word " * (1100 * 1024 // 5)),
    Quirk("raw-text", "one\ttwo!"),
    Quirk("thought-parts", "Hi!", _THOUGHT),
    _bytes("wrong-content-type type=application/json"),
    _bytes("wrong-content-type type=text/plain"),
    _bytes("garbage-lines"),
    _bytes("glued-events"),
    _bytes("crlf"),
    _bytes("comments"),
    _bytes("event-and-id-lines"),
    _bytes("no-space"),
    _bytes("multi-line-data"),
    _bytes("no-last-newline"),
    _bytes("split-bytes"),
    _bytes("clumped"),
    Quirk("empty-tool-calls", "hi there"),
    _called("flat-tool-call"),
    _called("top-level-tool-call"),
    _called("unindexed-tool-calls", 2),
    _called("null-sentinel-tool-call"),
    _called("repeated-tool-id"),
    _called("stop-with-tool-call"),
    _called("garbled-tool-call form=shared-id", 2),
    _called("garbled-tool-call form=by-id", 2),
    _called("garbled-tool-call form=json-in-json"),
    _called("garbled-tool-call form=token"),
    _called("garbled-tool-call form=name-pieces"),
    _called("garbled-tool-call form=object"),
    _called("garbled-tool-call form=legacy"),
    _called("leaked-tool-call form=flat", tool_choice="required"),
    _called("leaked-tool-call form=arguments", tool_choice="required"),
    _called("leaked-tool-call form=list", tool_choice="required"),
]

# Streams that fail on the way, and what the client has got by then.
BROKEN = [
    Quirk("cut-stream after=2", asking="9 words", model=VLLM),
    Quirk("cut-without-finish", "Hi, I was just"),
    Quirk("error-event", "Hi, I was"),
    Quirk("error-event form=errors", "Hi, I was"),
    Quirk("error-event form=event", "Hi, I was"),
]
