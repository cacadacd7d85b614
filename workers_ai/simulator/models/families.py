"""Which backend a chat model runs on, and so which dialect and which quirks its answers have.

Cloudflare's catalog does not say this; it was learned from answers, model by model.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

Dialect = Literal["legacy", "incremental", "vllm", "sglang"]


@dataclass(frozen=True)
class Family:
    """How a group of chat models answers.

    `legacy` speaks `{"response": …}` everywhere; `incremental` speaks OpenAI's format with usage on
    every chunk, bare numbers as deltas and no finish_reason until late; `vllm` and `sglang` are the
    two servers behind the newer models.
    """

    dialect: Dialect
    # The schema served when the catalog has none: the legacy one, or OpenAI's large one.
    openai_schema: bool = True
    reasoning_field: Literal["", "reasoning", "reasoning_content", "inline", "inline-unopened"] = ""
    reasoning_default: bool = False
    # json_schema must come in OpenAI's envelope, with a name.
    schema_envelope: Literal["bare", "named", "either", "ignored"] = "named"
    model_suffix: str = ""
    default_max_tokens: int | None = None
    refused_fields: tuple[str, ...] = ()
    can_run_stream: bool = True
    tool_call_ids: Literal["plain", "kimi"] = "plain"
    data_images_only: bool = False
    # Names of `chat/templates.py`.
    template: tuple[str, ...] = ()
    # The real context window and the highest output limit, where they are below the catalog's.
    ceiling: int | None = None
    # Only for accounts that asked for it.
    by_form: bool = False


LEGACY = Family("legacy", openai_schema=False, schema_envelope="bare", default_max_tokens=256)
INCREMENTAL = Family(
    "incremental", openai_schema=False, schema_envelope="bare", default_max_tokens=256
)
LLAMA = replace(INCREMENTAL, template=("one-call",))
OLD_LLAMA = replace(LEGACY, template=("one-call",))
MODERN = Family("vllm")

# First match of a part of the model's name wins.
_FAMILIES: list[tuple[str, Family]] = [
    ("llama-3.3-70b", LLAMA),
    ("llama-3.1-8b-instruct-fast", LLAMA),
    ("llama-3.2", OLD_LLAMA),
    ("gemma-7b", replace(LEGACY, template=("no-system", "alternating"))),
    (
        "llama-4-scout",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="bare",
            default_max_tokens=256,
            data_images_only=True,
        ),
    ),
    (
        "mistral-small-3.1",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="ignored",
            default_max_tokens=256,
            refused_fields=("tool_choice",),
            data_images_only=True,
            template=("alternating", "short-ids"),
        ),
    ),
    (
        "gemma-3",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="bare",
            default_max_tokens=256,
            data_images_only=True,
        ),
    ),
    (
        "qwen3-30b",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="bare",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            default_max_tokens=2000,
        ),
    ),
    (
        "deepseek-r1-distill",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="bare",
            reasoning_field="inline",
            reasoning_default=True,
            default_max_tokens=256,
        ),
    ),
    (
        "qwq-32b",
        Family(
            "incremental",
            openai_schema=False,
            schema_envelope="bare",
            reasoning_field="inline-unopened",
            reasoning_default=True,
            default_max_tokens=256,
        ),
    ),
    ("granite-4", INCREMENTAL),
    (
        "gpt-oss",
        Family(
            "vllm",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            schema_envelope="either",
            can_run_stream=False,
        ),
    ),
    (
        "kimi-k2.6",
        Family(
            "vllm",
            reasoning_field="reasoning",
            reasoning_default=True,
            can_run_stream=False,
            tool_call_ids="kimi",
        ),
    ),
    (
        "kimi",
        Family(
            "vllm",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            can_run_stream=False,
            tool_call_ids="kimi",
        ),
    ),
    ("nemotron", Family("vllm", reasoning_field="reasoning", reasoning_default=True)),
    (
        "gemma-4",
        Family(
            "sglang",
            reasoning_field="reasoning",
            schema_envelope="either",
            model_suffix="-external",
        ),
    ),
    (
        "glm-4.7",
        Family(
            "sglang",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            refused_fields=("max_tokens", "top_k", "repetition_penalty", "tool_choice"),
        ),
    ),
    (
        "glm-5.2",
        Family(
            "sglang",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            refused_fields=("top_k", "repetition_penalty"),
            ceiling=256_000,
        ),
    ),
    (
        "glm-5.3-flash",
        Family(
            "sglang",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            ceiling=1_048_576,
        ),
    ),
    ("glm", Family("sglang", reasoning_field="reasoning_content", reasoning_default=True)),
    (
        "deepseek-v4",
        Family(
            "sglang",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            template=("object-arguments",),
        ),
    ),
    (
        "qwen3.8",
        Family(
            "sglang",
            reasoning_field="reasoning_content",
            reasoning_default=True,
            template=("system-first",),
        ),
    ),
    ("apertus", Family("vllm", by_form=True)),
    ("eurollm", Family("vllm", by_form=True, template=("alternating",))),
]

_OLD = (
    "-lora",
    "llama-3-8b",
    "llama-3.1",
    "llama-3.2",
    "hermes",
    "mistral-7b",
    "gemma-7b",
    "guard",
)


def family_of(entry: dict[str, Any]) -> Family:
    """The family of a Text Generation model; an unknown name has no quirks."""
    name = entry["name"].lower()
    for part, family in _FAMILIES:
        if part in name:
            return family
    return LEGACY if any(part in name for part in _OLD) else MODERN


def flag(entry: dict[str, Any], property_id: str) -> bool:
    value = properties(entry).get(property_id)
    return value is True or str(value).lower() == "true"


def properties(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["property_id"]: item["value"] for item in entry.get("properties") or []}


def sees_images(entry: dict[str, Any]) -> bool:
    """Vision is not flagged on every model that has it."""
    names = ("llama-4-scout", "mistral-small-3.1", "gemma-3", "llama-3.2-11b-vision")
    return flag(entry, "vision") or any(part in entry["name"] for part in names)


def context_window(entry: dict[str, Any]) -> int:
    value = properties(entry).get("context_window")
    return int(value) if value else 8192


def reasons(entry: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether this request makes the model show its reasoning, by its family's own field."""
    family = family_of(entry)
    name = entry["name"]
    if not family.reasoning_field:
        return False
    if family.reasoning_field.startswith("inline") or "gpt-oss" in name or "kimi-k2.7" in name:
        return True
    if "glm-5.3" in name or "qwen3.8" in name:
        return True
    template = body.get("chat_template_kwargs") or {}
    for switch in ("enable_thinking", "thinking"):
        if isinstance(template, dict) and isinstance(template.get(switch), bool):
            return bool(template[switch])
    effort = body.get("reasoning_effort")
    toggles_only = "glm-4.7" in name or "qwen3-30b" in name or "nemotron" in name
    if effort is None or toggles_only:
        return family.reasoning_default
    return effort != "none" and not ("glm-5.2" in name and effort == "minimal")
