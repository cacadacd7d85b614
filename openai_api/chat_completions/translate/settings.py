"""A chat's settings as a model takes them: sampling, the form of the answer, reasoning. Pure."""

from typing import Any

from catalog.classify.facts import ChatFacts
from openai_api.chat_completions.request import ChatRequest, switched_in
from openai_api.chat_completions.translate.families import Family

# Never sent upstream: fields about OpenAI's own services, or that name the team's people.
NOT_FORWARDED = frozenset(
    {
        *("user", "metadata", "store", "service_tier", "safety_identifier", "verbosity"),
        *("prompt_cache_retention", "modalities", "audio", "prediction", "web_search_options"),
        *("moderation", "functions", "function_call", "prompt_cache_options", "access_programs"),
    }
)
# What the older models' schemas take, for models whose schema the catalog could not read.
LEGACY_SETTINGS = frozenset(
    {
        *("temperature", "top_p", "top_k", "seed", "repetition_penalty", "frequency_penalty"),
        *("presence_penalty", "lora", "raw", "guided_json"),
    }
)
LOWEST_TOP_P = 0.001
NEARLY_ZERO_TEMPERATURE = 1e-8
LEGACY_SEEDS = 9_999_999_999


def settings_for(settings: dict[str, Any], facts: ChatFacts) -> dict[str, Any]:
    sent = {name: value for name, value in settings.items() if name not in NOT_FORWARDED}
    if sent.get("top_p") is not None:
        sent["top_p"] = max(sent["top_p"], LOWEST_TOP_P)
    # 0 and -1 are others' words for no limit, which models have without the field.
    if sent.get("top_k", 1) < 1:
        del sent["top_k"]
    if sent.get("seed") is not None and _numbers_seeds_from_one(facts):
        sent["seed"] = _legacy_seed(sent["seed"])
    if facts.dialect != "legacy":
        return sent
    known = LEGACY_SETTINGS | facts.parameters.keys()
    sent = {name: value for name, value in sent.items() if name in known}
    if sent.get("temperature") == 0:
        sent["temperature"] = NEARLY_ZERO_TEMPERATURE
    if "top_k" in sent:
        sent["top_k"] = min(50, sent["top_k"])
    for name in ("frequency_penalty", "presence_penalty", "repetition_penalty"):
        if name in sent:
            sent[name] = min(2, max(0, sent[name]))
    return sent


def _numbers_seeds_from_one(facts: ChatFacts) -> bool:
    """Whether seeds start at 1: in the older schemas, and in that of gpt-oss."""
    seed = facts.parameters.get("seed")
    return facts.dialect == "legacy" or (seed is not None and seed.minimum == 1)


def _legacy_seed(seed: int) -> int:
    return seed if 1 <= seed <= LEGACY_SEEDS else abs(seed) % LEGACY_SEEDS + 1


def response_format_for(
    wanted: dict[str, Any] | None, facts: ChatFacts, family: Family
) -> dict[str, Any]:
    """JSON mode in the form this model takes.

    Cloudflare's own clients send the bare schema to every model. Those that insist on OpenAI's
    envelope around it say so when they refuse it, which `repair` then mends.
    """
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
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def reasoning_for(asked: ChatRequest, facts: ChatFacts, family: Family) -> dict[str, Any]:
    """The reasoning effort in the model's words; nothing for models without such a control.

    The catalog's facts about a model take precedence over what is known of its family.
    """
    given = asked.settings.get("chat_template_kwargs") or {}
    thinks = switched_in(given) if asked.thinks is None else asked.thinks
    effort = asked.reasoning_effort
    if effort is None and thinks is not None:
        effort = _effort_switched(thinks, facts)
    if family.thinking_switch:
        thinks = thinks if effort is None else effort != "none"
        switches = {} if thinks is None else {family.thinking_switch: thinks}
        if family.low_effort_switch and effort in ("minimal", "low"):
            switches[family.low_effort_switch] = True
        return {"chat_template_kwargs": {**switches, **given}} if switches else {}
    if effort is None:
        return {}
    sent = _sent_effort(effort, facts, family)
    return {"reasoning_effort": sent} if sent else {}


def _effort_switched(thinks: bool, facts: ChatFacts) -> str | None:
    """The effort of a request that only says whether to think; None for the model's own."""
    if not thinks:
        return "none"
    known = facts.reasoning_effort
    return "high" if known is not None and known.default_enabled is False else None


# From least to most.
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def least_effort(facts: ChatFacts, family: Family) -> str | None:
    """OpenAI's word for the least that this model can think; None where it has no control."""
    if family.thinking_switch:
        return "none"
    sent = {effort: _sent_effort(effort, facts, family) for effort in ("none", "minimal", "low")}
    known = [effort for effort, word in sent.items() if word in _EFFORTS]
    return min(known, key=lambda effort: _EFFORTS.index(str(sent[effort])), default=None)


def _sent_effort(effort: str, facts: ChatFacts, family: Family) -> str | None:
    """The model's word for an effort; None where it has none."""
    known = facts.reasoning_effort
    if known is not None and known.supported:
        sent = effort if effort in known.supported else known.normalizes_to.get(effort)
        if sent is None:
            sent = (family.efforts or {}).get(effort)
        return sent if sent in known.supported else None
    if family.efforts is not None:
        return family.efforts.get(effort)
    return effort if facts.dialect == "openai" and facts.reasoning else None
