"""An OpenAI chat request → Workers AI's payload for one model. Pure.

Comes in: a ChatRequest and the catalog's record. Goes out: a ChatPlan with the payload and what the
answer is expected to look like. Raises BadRequest where the model cannot do what was asked, so that
upstream's unreadable schema errors are not needed to say so.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.classify.facts import ChatFacts
from catalog.snapshot import ModelRecord
from openai_api.chat_completions.length import most_prompt_tokens
from openai_api.chat_completions.normalise import Expected
from openai_api.chat_completions.request import ChatRequest, says_only_text
from openai_api.chat_completions.translate import schema_form
from openai_api.chat_completions.translate.families import Family, family_of
from openai_api.errors import BadRequest

# Nothing upstream for these: they are about OpenAI's own services, or name the team's people.
NOT_FORWARDED = frozenset(
    {
        *("user", "metadata", "store", "service_tier", "safety_identifier", "verbosity"),
        *("prompt_cache_retention", "modalities", "audio", "prediction", "web_search_options"),
        *("moderation", "functions", "function_call"),
    }
)
# What the schema of the older models takes, when the catalog could not read one.
LEGACY_SETTINGS = frozenset(
    {
        *("temperature", "top_p", "top_k", "seed", "repetition_penalty", "frequency_penalty"),
        *("presence_penalty", "lora", "raw", "guided_json"),
    }
)
LOWEST_TOP_P = 0.001
NEARLY_ZERO_TEMPERATURE = 1e-8
LEGACY_SEEDS = 9_999_999_999
# For room that is surely there, and for prompts that surely do not fit.
CHARACTERS_PER_TOKEN_AT_LEAST = 3
CHARACTERS_PER_TOKEN_AT_MOST = 8
# As much of a message as tells conversations apart.
START_OF_CONVERSATION = 4000


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """One upstream call: `payload` without `stream`, `prompt_characters` for estimates."""

    payload: dict[str, Any]
    expected: Expected
    prompt_characters: int
    conversation: str

    def most_prompt_tokens(self) -> int:
        return most_prompt_tokens(self.payload)

    def body(self, *, stream: bool) -> bytes:
        if not stream:
            return orjson.dumps(self.payload)
        # Usage is always asked for: accounting does not depend on what the client wants to see.
        return orjson.dumps(
            {**self.payload, "stream": True, "stream_options": {"include_usage": True}}
        )


def translate(asked: ChatRequest, model: ModelRecord, *, default_max_tokens: int) -> ChatPlan:
    """The plan for this model; raises BadRequest."""
    facts = model.chat or ChatFacts()
    family = family_of(model.name)
    _refuse_what_the_model_lacks(asked, model, facts)
    messages, image = _messages(asked.messages, facts, family)
    characters = _characters(messages, asked.tools)
    _check_length(asked, model, characters)
    payload: dict[str, Any] = {"model": model.name, "messages": messages}
    if image is not None:
        payload["image"] = image
    limit = asked.max_tokens or _default_limit(model, facts, characters, default_max_tokens)
    payload |= _settings(asked.settings, facts)
    payload |= _tools(asked, facts, family)
    payload |= _response_format(asked.response_format, model.name, facts, family)
    payload |= _reasoning(asked, facts, family)
    cuts_itself = facts.dialect == "legacy" and "stop" not in facts.parameters
    if asked.stops and not cuts_itself:
        payload["stop"] = list(asked.stops)
    for name in family.drops:
        payload.pop(name, None)
    payload[family.limit_field] = limit
    return ChatPlan(
        payload=payload,
        expected=Expected(
            model=asked.model,
            thinks_inline=family.thinks_in_text or facts.reasoning,
            thinks_unopened=family.thinks_in_text,
            forced_tools=_forced_tools(asked),
            max_tokens=limit,
            legacy_functions=asked.legacy_functions,
            stops=asked.stops if cuts_itself else (),
        ),
        prompt_characters=characters,
        conversation=_conversation(asked),
    )


def _refuse_what_the_model_lacks(asked: ChatRequest, model: ModelRecord, facts: ChatFacts) -> None:
    if asked.tools and not facts.tools and asked.tool_choice != "none":
        raise BadRequest(
            f"The model `{asked.model}` does not support tools. "
            "Models that do list 'tools' among their supported_parameters in /v1/models.",
            param="functions" if asked.legacy_functions else "tools",
            code="unsupported_parameter",
        )
    parts = _types_of_parts(asked.messages)
    if "image_url" in parts and facts.schema_known and not facts.vision:
        raise BadRequest(
            f"The model `{asked.model}` does not take images. Models that do list 'image' among "
            "their input_modalities in /v1/models.",
            param="messages",
            code="unsupported_content",
        )
    if facts.dialect == "legacy":
        if "file" in parts or "input_audio" in parts:
            raise BadRequest(
                f"The model `{asked.model}` takes neither files nor audio.",
                param="messages",
                code="unsupported_content",
            )
        if (asked.settings.get("n") or 1) > 1:
            raise BadRequest(
                f"The model `{asked.model}` gives one choice: 'n' must be 1.",
                param="n",
                code="unsupported_parameter",
            )
        if asked.settings.get("logprobs"):
            raise BadRequest(
                f"The model `{asked.model}` does not give log probabilities.",
                param="logprobs",
                code="unsupported_parameter",
            )


def _types_of_parts(messages: list[dict[str, Any]]) -> set[str]:
    """Of all contents that are made of parts."""
    return {
        part["type"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    }


# --- Messages ---------------------------------------------------------------------------------


def _messages(
    messages: list[dict[str, Any]], facts: ChatFacts, family: Family
) -> tuple[list[dict[str, Any]], list[int] | None]:
    """The messages as this model takes them, and a picture that goes beside them."""
    image: str | None = None
    sent = []
    last_call_ids: list[str] = []
    for position, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        out: dict[str, Any] = {"role": "system" if role == "developer" else role}
        if says_only_text(message):
            out["content"] = content
            sent.append(out)
            continue
        if facts.image_input == "top_level" and "image_url" in _types_of_parts([message]):
            image = _image_url(content)
            content = [part for part in content or [] if part.get("type") != "image_url"]
        out["content"] = _content(content)
        calls = message.get("tool_calls") or _calls_of_function(message, position)
        if calls:
            out["tool_calls"] = [_call(call, position, n) for n, call in enumerate(calls)]
            last_call_ids = [call["id"] for call in out["tool_calls"]]
            if family.repeats_calls_in_content and not out["content"]:
                out["content"] = _calls_as_text(out["tool_calls"])
        if role == "tool":
            out["tool_call_id"] = message["tool_call_id"]
        elif role == "function":
            out["role"] = "tool"
            out["tool_call_id"] = last_call_ids[0] if last_call_ids else f"call_{position}"
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if role == "assistant" and isinstance(reasoning, str):
            # Where vLLM reads earlier thoughts; inside the content they confuse the model.
            out["reasoning"] = reasoning
        if facts.dialect == "openai" and isinstance(message.get("name"), str):
            out["name"] = message["name"]
        sent.append(out)
    return sent, _picture(image)


def _content(content: Any) -> Any:
    """Text alone becomes one string, which every model takes; pictures keep their parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if all(part.get("type") in ("text", "refusal") for part in content):
        return "\n".join(part.get("text") or part.get("refusal") or "" for part in content)
    return [_part(part) for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "image_url" and isinstance(part["image_url"], str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    return part


def _image_url(content: Any) -> str:
    urls = [
        part["image_url"]["url"] if isinstance(part["image_url"], dict) else part["image_url"]
        for part in content
        if part.get("type") == "image_url"
    ]
    return str(urls[-1])


def _picture(url: str | None) -> list[int] | None:
    """The older vision model takes the picture as byte values, in a field of its own."""
    if url is None:
        return None
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise BadRequest(
            "This model takes images as base64 data URLs only.",
            param="messages",
            code="unsupported_content",
        )
    try:
        return list(base64.b64decode(data, validate=True))
    except ValueError:
        raise BadRequest(
            "The image's data URL does not hold valid base64.",
            param="messages",
            code="invalid_image",
        ) from None


def _calls_of_function(message: dict[str, Any], position: int) -> list[dict[str, Any]]:
    call = message.get("function_call")
    if not isinstance(call, dict) or not call.get("name"):
        return []
    return [{"id": f"call_{position}", "function": call}]


def _call(call: dict[str, Any], position: int, number: int) -> dict[str, Any]:
    function = call["function"]
    return {
        "id": call.get("id") or f"call_{position}_{number}",
        "type": "function",
        "function": {"name": function["name"], "arguments": function.get("arguments") or "{}"},
    }


def _calls_as_text(calls: list[dict[str, Any]]) -> str:
    return "\n".join(
        '{"name": '
        + orjson.dumps(call["function"]["name"]).decode()
        + ', "parameters": '
        + call["function"]["arguments"]
        + "}"
        for call in calls
    )


def _characters(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
    """Characters of text that the model will read; pictures are counted by upstream."""
    total = len(orjson.dumps(tools)) if tools else 0
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            total += len(content)
        else:
            total += sum(len(part["text"]) for part in content if part.get("type") == "text")
        for call in message.get("tool_calls", ()):
            total += len(call["function"]["arguments"])
    return total


def _conversation(asked: ChatRequest) -> str:
    """What stays the same over the turns of one conversation: its key, or how it began."""
    if asked.cache_key:
        return asked.cache_key
    start = hashlib.blake2b(digest_size=16)
    for message in asked.messages:
        content = message.get("content")
        text = content if isinstance(content, str) else _content(content)
        start.update(
            text[:START_OF_CONVERSATION].encode("utf-8", "replace")
            if isinstance(text, str)
            else orjson.dumps(_shortened(text))[:START_OF_CONVERSATION]
        )
        if message["role"] == "user":
            break
    return start.hexdigest()


def _shortened(value: Any) -> Any:
    """Parts with texts no longer than what is read of them, so that no picture is written out."""
    if isinstance(value, str):
        return value[:START_OF_CONVERSATION]
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return value


# --- Settings ---------------------------------------------------------------------------------


def _default_limit(
    model: ModelRecord, facts: ChatFacts, characters: int, default_max_tokens: int
) -> int:
    """An output limit that suits a chat and fits the context; upstream's would be 256 tokens."""
    limit = default_max_tokens
    if facts.max_output_tokens:
        limit = min(limit, facts.max_output_tokens)
    if model.context_window:
        room = model.context_window - characters // CHARACTERS_PER_TOKEN_AT_LEAST - 64
        limit = min(limit, max(room, 256))
    return limit


def _settings(settings: dict[str, Any], facts: ChatFacts) -> dict[str, Any]:
    sent = {name: value for name, value in settings.items() if name not in NOT_FORWARDED}
    if sent.get("top_p") is not None:
        sent["top_p"] = max(sent["top_p"], LOWEST_TOP_P)
    if sent.get("seed") is not None and _numbers_seeds_from_one(facts):
        sent["seed"] = _legacy_seed(sent["seed"])
    if facts.dialect != "legacy":
        return sent
    known = LEGACY_SETTINGS | facts.parameters.keys()
    sent = {name: value for name, value in sent.items() if name in known}
    if sent.get("temperature") == 0:
        sent["temperature"] = NEARLY_ZERO_TEMPERATURE
    if "top_k" in sent:
        sent["top_k"] = min(50, max(1, sent["top_k"]))
    for name in ("frequency_penalty", "presence_penalty", "repetition_penalty"):
        if name in sent:
            sent[name] = min(2, max(0, sent[name]))
    return sent


def _numbers_seeds_from_one(facts: ChatFacts) -> bool:
    """Also the schema of gpt-oss, which is of the newer kind otherwise."""
    seed = facts.parameters.get("seed")
    return facts.dialect == "legacy" or (seed is not None and seed.minimum == 1)


def _legacy_seed(seed: int) -> int:
    return seed if 1 <= seed <= LEGACY_SEEDS else abs(seed) % LEGACY_SEEDS + 1


def _tools(asked: ChatRequest, facts: ChatFacts, family: Family) -> dict[str, Any]:
    if not asked.tools:
        return {}
    sent: dict[str, Any] = {"tools": [_tool(tool, facts, family) for tool in asked.tools]}
    choice = "required" if asked.tool_choice == "any" else asked.tool_choice
    if isinstance(choice, dict) and "function" not in choice and choice.get("name"):
        choice = {"type": "function", "function": {"name": choice["name"]}}
    if choice is not None and not (facts.dialect == "legacy" and choice == "auto"):
        sent["tool_choice"] = choice
    return sent


def _tool(tool: dict[str, Any], facts: ChatFacts, family: Family) -> dict[str, Any]:
    """The tool with all that the older schemas require; empty texts say nothing to a model."""
    given = tool.get("function", tool)
    description = given.get("description")
    function = {
        "name": given["name"],
        # A description that is no text makes the inference server refuse the request (8001).
        "description": description if isinstance(description, str) else "",
        "parameters": _complete_parameters(
            given.get("parameters") or {},
            typed=facts.dialect == "legacy" or family.types_properties,
        ),
    }
    if given.get("strict") is not None and facts.dialect == "openai":
        function["strict"] = given["strict"]
    return {"type": "function", "function": function}


def _complete_parameters(parameters: dict[str, Any], *, typed: bool) -> dict[str, Any]:
    properties = parameters.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    complete = {
        name: {"description": "", **prop, **_one_type(prop, typed=typed)}
        if isinstance(prop, dict)
        else prop
        for name, prop in properties.items()
    }
    return {**parameters, "type": "object", "properties": complete}


def _one_type(prop: dict[str, Any], *, typed: bool) -> dict[str, str]:
    """The one type of a property: of several, or of a combination, the first that is not null.

    Where the model does not insist (`typed`), those say enough by themselves.
    """
    given = prop.get("type")
    if isinstance(given, str):
        return {}
    combined = [
        item.get("type")
        for key in ("anyOf", "oneOf", "allOf")
        if isinstance(prop.get(key), list)
        for item in prop[key]
        if isinstance(item, dict)
    ]
    if not typed and (given is not None or combined or "$ref" in prop):
        return {}
    several = given if isinstance(given, list) else combined
    named = (kind for kind in several if isinstance(kind, str) and kind != "null")
    return {"type": next(named, "string")}


def _forced_tools(asked: ChatRequest) -> frozenset[str]:
    choice = asked.tool_choice
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        return frozenset({name}) if isinstance(name, str) else frozenset()
    if choice in ("required", "any"):
        return frozenset(tool.get("function", tool)["name"] for tool in asked.tools)
    return frozenset()


def _response_format(
    wanted: dict[str, Any] | None, model: str, facts: ChatFacts, family: Family
) -> dict[str, Any]:
    """JSON mode in the form this model takes."""
    if wanted is None:
        return {}
    guided = family.guides_json or (facts.guided_json and not facts.json_mode)
    if wanted["type"] == "json_object":
        if guided:
            return {"guided_json": {"type": "object"}}
        return {"response_format": {"type": "json_object"}}
    envelope = wanted["json_schema"]
    schema = envelope.get("schema", {} if "name" in envelope else envelope)
    if guided:
        return {"guided_json": schema}
    form = envelope if schema_form.is_enveloped(model) else schema
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _reasoning(asked: ChatRequest, facts: ChatFacts, family: Family) -> dict[str, Any]:
    """The effort in the words this model knows; nothing for models without such a control.

    What the catalog says of a model wins over what is known of its family.
    """
    effort = asked.reasoning_effort
    if effort is None:
        return {}
    if family.thinking_switch:
        switches = {family.thinking_switch: effort != "none"}
        if family.low_effort_switch and effort in ("minimal", "low"):
            switches[family.low_effort_switch] = True
        given = asked.settings.get("chat_template_kwargs") or {}
        return {"chat_template_kwargs": {**switches, **given}}
    known = facts.reasoning_effort
    if known is not None and known.supported:
        sent = effort if effort in known.supported else known.normalizes_to.get(effort)
        if sent is None:
            sent = (family.efforts or {}).get(effort)
        return {"reasoning_effort": sent} if sent in known.supported else {}
    if family.efforts is not None:
        sent = family.efforts.get(effort)
        return {"reasoning_effort": sent} if sent else {}
    return {"reasoning_effort": effort} if facts.dialect == "openai" and facts.reasoning else {}


# --- Length -----------------------------------------------------------------------------------


def _check_length(asked: ChatRequest, model: ModelRecord, characters: int) -> None:
    """Refuses what certainly exceeds the context window; upstream decides the rest."""
    window = model.context_window
    if not window:
        return
    prompt = characters // CHARACTERS_PER_TOKEN_AT_MOST
    completion = asked.max_tokens or 0
    if prompt + completion <= window:
        return
    raise BadRequest(
        f"This model's maximum context length is {window} tokens. However, you requested "
        f"{prompt + completion} tokens ({prompt} in the messages, {completion} in the completion). "
        "Please reduce the length of the messages or completion.",
        param="messages",
        code="context_length_exceeded",
    )
