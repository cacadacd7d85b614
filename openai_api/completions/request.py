"""What `POST /v1/completions` accepts: OpenAI's older fields, some of which chat models support.
Pure.

Comes in: the parsed body. Goes out: a CompletionRequest. Raises BadRequest naming the `param`, also
for what no chat model does, such as repeating the prompt or completing what stands before a suffix.
"""

from dataclasses import dataclass
from typing import Any

from openai_api.chat_completions import request as chat_request
from openai_api.chat_completions.request import ChatRequest
from openai_api.errors import BadRequest
from openai_api.wire.declared import Boolean, Text, Texts, WholeNumber
from openai_api.wire.fields import wrong_value

# Prompts times choices of each: the most upstream calls for one request.
MOST_CHOICES = 32


class Fields:
    prompt = Texts(
        "One choice for each text.",
        most=MOST_CHOICES,
        examples=["Say hello.", ["One.", "Two."]],
    )
    n = WholeNumber(1, MOST_CHOICES, f"With several prompts, {MOST_CHOICES} choices in all.")
    echo = Boolean("Not supported: only false is taken.", narrowed={"enum": [False]})
    suffix = Text("Not supported.", narrowed={"enum": [""]})
    best_of = WholeNumber(1, about="Not supported: only 1 is taken.", narrowed={"enum": [1]})
    logprobs = WholeNumber(0, about="Not supported.", narrowed={"enum": []})


# Fields that mean the same in a chat.
SHARED = frozenset(
    {
        *("model", "stream", "stream_options", "max_tokens", "temperature", "top_p", "seed"),
        *("stop", "presence_penalty", "frequency_penalty", "logit_bias", "user"),
        *("top_k", "min_p", "repetition_penalty", "reasoning_effort", "chat_template_kwargs"),
    }
)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """`chat` has the fields that a chat has too; its messages are replaced for each prompt."""

    chat: ChatRequest
    prompts: tuple[str, ...]
    n: int = 1

    @property
    def model(self) -> str:
        return self.chat.model

    @property
    def stream(self) -> bool:
        return self.chat.stream

    @property
    def user(self) -> str:
        return self.chat.user


def read(body: dict[str, Any]) -> CompletionRequest:
    """The request in `body`; raises BadRequest."""
    _refuse_what_no_chat_model_does(body)
    prompts = Fields.prompt(body)
    n = Fields.n(body) or 1
    if len(prompts) * n > MOST_CHOICES:
        raise wrong_value("n", f"at most {MOST_CHOICES // len(prompts)} for so many prompts", n)
    shared = {name: value for name, value in body.items() if name in SHARED}
    chat = chat_request.read({**shared, "messages": as_messages(prompts[0])})
    if chat.stream and len(prompts) * n > 1:
        raise BadRequest(
            "Only one choice can be streamed: send one prompt and an 'n' of 1, or do not stream.",
            param="prompt" if len(prompts) > 1 else "n",
            code="unsupported_value",
        )
    return CompletionRequest(chat, prompts, n)


def as_messages(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt}]


def _refuse_what_no_chat_model_does(body: dict[str, Any]) -> None:
    if Fields.echo(body):
        raise _unsupported("echo", "the prompt is not repeated")
    if Fields.suffix(body):
        raise _unsupported("suffix", "text cannot be inserted before a suffix")
    if (Fields.best_of(body) or 1) > 1:
        raise _unsupported("best_of", "answers are not compared; use 'n' and choose")
    if Fields.logprobs(body) is not None:
        raise _unsupported("logprobs", "log probabilities are not given")


def _unsupported(param: str, why: str) -> BadRequest:
    return BadRequest(
        f"'{param}' is not supported by the models of this gateway: {why}. Leave it out.",
        param=param,
        code="unsupported_parameter",
    )
