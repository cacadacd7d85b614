"""An OpenAI chat request → Workers AI's payload for one model. Pure.

Comes in: a ChatRequest and the catalog's record. Goes out: a ChatPlan with the payload and what the
answer is expected to look like. Raises BadRequest where the model cannot do what was asked, in
clearer words than upstream's schema errors.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.length import (
    characters_of,
    check_length,
    most_prompt_tokens,
    output_limit,
    usual_picture_tokens,
)
from openai_api.chat_completions.normalise import Expected
from openai_api.chat_completions.request import ChatRequest, have_parts
from openai_api.chat_completions.translate.conversation import conversation_of
from openai_api.chat_completions.translate.documents import Unread, unreadable_file, without_unread
from openai_api.chat_completions.translate.families import family_of
from openai_api.chat_completions.translate.messages import messages_for, types_of_parts
from openai_api.chat_completions.translate.settings import (
    reasoning_for,
    response_format_for,
    settings_for,
)
from openai_api.chat_completions.translate.text_files import read_text_files
from openai_api.chat_completions.translate.tool_results import fit_results, pictures_after_results
from openai_api.chat_completions.translate.tools import forced_tools, offered_tools, tools_for
from openai_api.errors import BadRequest
from openai_api.wire.left_in_body import LeftInBody, left_in

# Of an answer without a limit: far more than most have, and far less than a window.
USUAL_TOKENS: Final = 4_096
_NOTHING_UNREAD: Final = Unread(0, 0)
_NONE: Final[frozenset[str]] = frozenset()


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True)
class Counted:
    """What the use of a plan is reckoned from, without its payload."""

    prompt_characters: int
    tokens_of_pictures: int

    def picture_tokens(self) -> int:
        return self.tokens_of_pictures


# As above.
@dataclass(slots=True)
class ChatPlan:
    """One upstream call: `payload` without `stream`, `prompt_characters` for estimates.

    `limit_field` holds the output `limit`, in tokens; with `limit_may_shrink` it is not one that
    the client insists on. `usual_tokens`: tokens of an answer that are counted before it comes.
    """

    payload: dict[str, Any]
    expected: Expected
    prompt_characters: int
    conversation: str
    limit_field: str
    limit: int
    limit_may_shrink: bool
    usual_tokens: int
    # Pictures of which the payload has the beginnings alone.
    left: tuple[LeftInBody, ...]
    # Documents that are not in the payload yet: it is made anew once they are read.
    unread: Unread
    # The most tokens of the payload, where they are known.
    most_tokens: int | None

    def counted(self) -> Counted:
        """For a stream, which may last: its payload need not be in memory for as long."""
        return Counted(self.prompt_characters, self.picture_tokens())

    def most_prompt_tokens(self) -> int:
        most = self.most_tokens
        if most is None:
            most = most_prompt_tokens(self.payload)
        return most + self.unread.most_bytes

    def picture_tokens(self) -> int:
        """The tokens that the pictures of the prompt usually have."""
        return usual_picture_tokens(self.payload)

    def limited_to(self, limit: int) -> "ChatPlan":
        """The same call with a lower output limit."""
        return replace(
            self,
            payload={**self.payload, self.limit_field: limit},
            limit=limit,
            expected=replace(self.expected, max_tokens=limit),
        )


def body_of(payload: dict[str, Any], *, stream: bool) -> bytes:
    """The body of the upstream call."""
    tools = payload.get("tools")
    if tools is not None:
        payload = {**payload, "tools": orjson.Fragment(tools.as_json())}
    if not stream:
        return orjson.dumps(payload)
    # Usage is always asked for: accounting does not depend on what the client wants to see.
    return orjson.dumps({**payload, "stream": True, "stream_options": {"include_usage": True}})


def translate(
    asked: ChatRequest, model: ModelRecord, *, default_max_tokens: int | None
) -> ChatPlan:
    """The plan for this model; raises BadRequest.

    `default_max_tokens`: the output limit of requests that name none; None for as much as the model
    gives.
    """
    facts = model.chat or ChatFacts()
    family = family_of(model.name)
    read, unread = asked.messages, _NOTHING_UNREAD
    kinds: Set[str] = _NONE
    if have_parts(read):
        fit_results(read, facts)
        read_text_files(read)
        read, unread = without_unread(read)
        kinds = types_of_parts(read)
        read = pictures_after_results(read)
    _refuse_what_the_model_lacks(asked, kinds, model, facts)
    messages, image = messages_for(read, facts, family)
    characters = characters_of(messages, asked.tools)
    check_length(asked, model, characters)
    payload: dict[str, Any] = {"model": model.name, "messages": messages}
    if image is not None:
        payload["image"] = image
    if asked.settings:
        payload |= settings_for(asked.settings, facts)
    if asked.tools:
        payload |= tools_for(asked, facts, family)
    if asked.response_format is not None:
        payload |= response_format_for(asked.response_format, facts, family)
    if (
        asked.reasoning_effort is not None
        or asked.thinks is not None
        or "chat_template_kwargs" in asked.settings
    ):
        payload |= reasoning_for(asked, facts, family)
    cuts_itself = facts.dialect == "legacy" and "stop" not in facts.parameters
    if asked.stops and not cuts_itself:
        payload["stop"] = list(asked.stops)
    for name in family.drops:
        payload.pop(name, None)
    limit, most = output_limit(asked, model, payload, default=default_max_tokens)
    payload[family.limit_field] = limit
    return ChatPlan(
        payload=payload,
        expected=Expected(
            model=asked.model,
            thinks_inline=family.thinks_in_text or facts.reasoning,
            thinks_unopened=family.thinks_in_text,
            forced_tools=forced_tools(asked) if asked.tool_choice else _NONE,
            offered_tools=offered_tools(asked) if asked.tools else _NONE,
            in_json=asked.response_format is not None,
            max_tokens=limit,
            legacy_functions=asked.legacy_functions,
            custom_tools=asked.custom_tools,
            one_call=asked.settings.get("parallel_tool_calls") is False,
            hides_thoughts=asked.hides_thoughts,
            stops=asked.stops if cuts_itself else (),
        ),
        prompt_characters=characters + unread.likely_bytes,
        conversation=conversation_of(asked),
        left=left_in(messages) if "image_url" in kinds else (),
        limit_field=family.limit_field,
        limit=limit,
        limit_may_shrink=asked.max_tokens is None or asked.limit_may_shrink,
        usual_tokens=limit if asked.max_tokens is not None else min(limit, USUAL_TOKENS),
        unread=unread,
        most_tokens=most,
    )


def _refuse_what_the_model_lacks(
    asked: ChatRequest, parts: Set[str], model: ModelRecord, facts: ChatFacts
) -> None:
    if asked.tools and not facts.tools and asked.tool_choice != "none":
        raise BadRequest(
            f"The model `{asked.model}` does not support tools. "
            "Models that do list 'tools' among their supported_parameters in /v1/models.",
            param="functions" if asked.legacy_functions else "tools",
            code="unsupported_parameter",
        )
    if "file" in parts:
        raise unreadable_file(asked.messages)
    if "image_url" in parts and facts.schema_known and not facts.vision:
        raise BadRequest(
            f"The model `{asked.model}` does not take images. Models that do list 'image' among "
            "their input_modalities in /v1/models.",
            param="messages",
            code="unsupported_content",
        )
    if asked.settings.get("logprobs") and _gives_no_logprobs(facts):
        raise BadRequest(
            f"The model `{asked.model}` does not give log probabilities. Models that do list "
            "'logprobs' among their supported_parameters in /v1/models.",
            param="logprobs",
            code="unsupported_parameter",
        )
    if facts.dialect == "legacy":
        if "input_audio" in parts:
            raise BadRequest(
                f"The model `{asked.model}` takes no audio.",
                param="messages",
                code="unsupported_content",
            )
        if (asked.settings.get("n") or 1) > 1:
            raise BadRequest(
                f"The model `{asked.model}` gives one choice: 'n' must be 1.",
                param="n",
                code="unsupported_parameter",
            )


def _gives_no_logprobs(facts: ChatFacts) -> bool:
    """Models that do not know the field ignore it, which would change in silence what is asked."""
    if facts.dialect == "legacy":
        return True
    return facts.schema_known and "logprobs" not in facts.supported_parameters
