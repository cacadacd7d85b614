"""The repairs: which refusal asks for each, and how it changes the payload. Pure.

Comes in: the payload as it was sent, and upstream's refusal. Goes out: a changed copy, or None
where there is nothing to change. A repair that `lasts` is a form that the model insists on: it is
applied to later requests at once. Sources of the wordings: what users of Workers AI published, read
up to November 2026; templates are those of the models' own repositories.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from openai_api.chat_completions.repair import turns
from openai_api.chat_completions.request import ChatRequest
from workers_ai.errors import BadInput

Payload = dict[str, Any]
LIMIT_FIELDS: Final = ("max_tokens", "max_completion_tokens")
# The payload, what the client asked for, the refusal where one just came → a payload that suits.
Change = Callable[[Payload, ChatRequest, BadInput | None], Payload | None]

# Optional fields that only tune an answer. Others mean something: their refusal is the caller's.
TUNING: Final = frozenset(
    {
        *("top_k", "top_p", "min_p", "top_a", "seed", "logit_bias", "repetition_penalty"),
        *("frequency_penalty", "presence_penalty", "length_penalty", "parallel_tool_calls"),
        *("reasoning_effort", "reasoning", "chat_template_kwargs", "stream_options", "user"),
        *("lora", "raw", "ignore_eos", "min_tokens", "best_of", "use_beam_search", "priority"),
        *("skip_special_tokens", "spaces_between_special_tokens", "thinking", "verbosity"),
        *("prompt_cache_key", "metadata", "store", "service_tier", "include_reasoning"),
    }
)


@dataclass(frozen=True, slots=True)
class Repair:
    """`says`: words of refusals that ask for it."""

    name: str
    says: re.Pattern[str]
    change: Change
    lasts: bool = True
    # The change is in how the call is made: without streaming.
    unstreamed: bool = False


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


# --- Schemas --------------------------------------------------------------------------------------


def _enveloped(payload: Payload, asked: ChatRequest, refused: BadInput | None) -> Payload | None:
    """OpenAI's `{"name", "schema"}` around a bare schema, as the client gave it."""
    schema = (payload.get("response_format") or {}).get("json_schema")
    if not isinstance(schema, dict) or _is_envelope(schema):
        return None
    given = (asked.response_format or {}).get("json_schema")
    envelope = given if _is_envelope(given) else {"name": "answer", "schema": schema}
    return {**payload, "response_format": {"type": "json_schema", "json_schema": envelope}}


def _bare(payload: Payload, asked: ChatRequest, refused: BadInput | None) -> Payload | None:
    """The schema without OpenAI's envelope."""
    envelope = (payload.get("response_format") or {}).get("json_schema")
    if not _is_envelope(envelope):
        return None
    form = {"type": "json_schema", "json_schema": envelope["schema"]}
    return {**payload, "response_format": form}


def _is_envelope(schema: Any) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("schema"), dict)
        and isinstance(schema.get("name"), str)
    )


def _object_as_schema(
    payload: Payload, asked: ChatRequest, refusal: BadInput | None
) -> Payload | None:
    """`json_object` as the schema that any object fits."""
    wanted = payload.get("response_format") or {}
    if wanted.get("type") != "json_object":
        return None
    form = {"type": "json_schema", "json_schema": {"type": "object"}}
    return {**payload, "response_format": form}


def _unstreamed(payload: Payload, asked: ChatRequest, refused: BadInput | None) -> Payload | None:
    return payload if "response_format" in payload or "guided_json" in payload else None


# --- Messages -------------------------------------------------------------------------------------


def _turns(order: Callable[[turns.Messages], turns.Messages]) -> Change:
    def change(payload: Payload, asked: ChatRequest, refused: BadInput | None) -> Payload | None:
        messages = order(payload["messages"])
        return None if messages == payload["messages"] else {**payload, "messages": messages}

    return change


# --- Optional fields ------------------------------------------------------------------------------

_UNKNOWN: Final = (
    r"\b(?:unknown|unrecogni[sz]ed|unexpected|unsupported|additional propert\w+|invalid input|"
    r"extra (?:inputs?|fields?|propert\w+|keys?)|extra_forbidden)\b|"
    r"(?:\bnot|n.t|\bno longer) (?:be )?(?:supported|permitted|allowed|recogni[sz]ed|support)\b"
)
_NAMES = re.compile(r"\w+")


def _without_the_field(
    payload: Payload, asked: ChatRequest, refusal: BadInput | None
) -> Payload | None:
    """Without the optional fields that upstream says it does not know."""
    named = set() if refusal is None else set(_NAMES.findall(refusal.message))
    unknown = named & TUNING & payload.keys()
    return {key: payload[key] for key in payload if key not in unknown} if unknown else None


def _other_limit(payload: Payload, asked: ChatRequest, refused: BadInput | None) -> Payload | None:
    """The output limit under its other name."""
    for name, other in (LIMIT_FIELDS, LIMIT_FIELDS[::-1]):
        if name in payload:
            return {other if key == name else key: payload[key] for key in payload}
    return None


# --- The list -------------------------------------------------------------------------------------

KINDS: Final = (
    # "required properties at '/response_format/json_schema' are 'name'"
    Repair(
        "schema_in_envelope",
        _words(r"json_schema.{0,80}\bname\b", r"\bname\b.{0,80}json_schema"),
        _enveloped,
    ),
    Repair(
        "bare_schema",
        _words(
            r"json_schema.{0,120}(?:unknown|unexpected|additional|extra|invalid).{0,40}"
            r"\b(?:name|schema|strict)\b",
            r"(?:unknown|unexpected|additional|extra) (?:field|propert\w+|key)\W+"
            r"(?:schema|strict)\b",
        ),
        _bare,
    ),
    # "unknown variant `json_object`, expected `json_schema`"
    Repair(
        "schema_for_json_object",
        _words(
            r"json_object.{0,80}\bexpected\b.{0,40}json_schema",
            r"json_object\W{0,3} (?:is |mode |format )*(?:not supported|unsupported|invalid)",
            r"only\W.{0,30}json_schema.{0,30}supported",
        ),
        _object_as_schema,
    ),
    # "JSON Schema mode is not supported with stream mode"
    Repair(
        "schema_without_stream",
        _words(
            r"(?:json|schema|structured|guided|response_format).{0,80}\bstream",
            r"\bstream\w*.{0,80}(?:json|schema|structured|guided|response_format)",
        ),
        _unstreamed,
        unstreamed=True,
    ),
    # "System message must be at the beginning."
    Repair(
        "system_message_first",
        _words(
            r"system messages?\b.{0,60}\b(?:beginning|first|start|only one|one|single|multiple)\b",
            r"\b(?:only one|single|multiple|more than one)\b.{0,30}system message",
            r"\brole\W{1,3}system\W{1,3}after\b",
        ),
        _turns(turns.with_system_first),
    ),
    # "System role not supported"
    Repair(
        "no_system_message",
        _words(
            r"system (?:role|messages?|prompts?)\b.{0,20}"
            r"\b(?:not supported|unsupported|not allowed)",
            r"(?:unknown|unsupported|invalid|unexpected) role\W+system\b",
            r"only (?:the )?user.{0,40}\broles?\b",
        ),
        _turns(turns.with_system_in_the_first_turn),
    ),
    # "This model only supports single tool-calls at once!"
    Repair(
        "one_call_a_turn",
        _words(
            r"\b(?:only|single|one)\b.{0,30}\btool.?calls?\b.{0,20}\b(?:at once|at a time|per)",
            r"only supports (?:single|one) tool.?call",
            r"(?:multiple|parallel) tool.?calls?\b.{0,40}\b(?:not supported|unsupported)",
        ),
        _turns(turns.with_one_call_a_turn),
    ),
    # "Conversation roles must alternate user/assistant/user/assistant/..."
    Repair(
        "alternating_turns",
        _words(
            r"roles? must alternate",
            r"alternat\w+.{0,40}(?:user|roles?)",
            r"\bfirst (?:message|turn|role)\b.{0,60}\buser\b",
            r"\b(?:start|begin)s? with an?\b.{0,20}\buser\b",
        ),
        _turns(turns.with_alternating_turns),
    ),
    # "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."
    Repair(
        "call_ids_of_nine",
        _words(r"tool.?call ids?\b.{0,200}\blength (?:of )?9\b"),
        _turns(turns.with_short_call_ids),
    ),
    # "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    Repair(
        "other_limit_field",
        _words(
            r"\bmax_tokens\b.{0,80}\bmax_completion_tokens\W{1,3}instead",
            r"\bmax_completion_tokens\b.{0,80}\bmax_tokens\W{1,3}instead",
            r"\b(?:unknown|unrecogni[sz]ed|unexpected|unsupported|invalid input|extra inputs)\b"
            r"[^'`\"]{0,40}['`\": ]{1,3}max_(?:completion_)?tokens\b(?! (?:must|should|is too))",
        ),
        _other_limit,
    ),
    Repair(
        "without_unknown_field",
        _words(_UNKNOWN),
        _without_the_field,
        lasts=False,
    ),
)
