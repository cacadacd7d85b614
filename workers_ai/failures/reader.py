"""The one reader of Cloudflare's failures: which class of `errors.py` an answer means.

What is said counts first, Cloudflare's code second, the HTTP status last: one code stands for
several things (3030, 3010 and 8007 each carry length, validation and moderation), and a status for
even more. To teach it a new failure, add a line to the table that fits, with its source;
the words have theirs in `wordings.py`.

Sources: [D] Cloudflare's documentation, [S] what users published of answers that they got, [C] the
source of Cloudflare's own clients; read up to November 2026.
"""

import re
import time
from collections.abc import Mapping
from typing import Final

from workers_ai.errors import (
    AccountFault,
    AllocationUsedUp,
    BadInput,
    ContentRefused,
    ContextTooLong,
    LicenceNotAccepted,
    ModelMissing,
    ModelNotForAccount,
    NoCapacity,
    Overloaded,
    RateReached,
    Refused,
    RequestTooLarge,
    SchemaUnmet,
    ServerFault,
    SpendLimitReached,
    TryAgainSoon,
    UpstreamTimedOut,
)
from workers_ai.failures import body as bodies
from workers_ai.failures.reset import seconds_until_reset
from workers_ai.failures.token_counts import counts_in
from workers_ai.failures.wordings import BY_WORDS

# What a failure is about stands in its first words; the rest may quote the request.
LONGEST_WORDS: Final = 2_000


BY_CODE: Final[Mapping[int, type[Refused]]] = {
    2001: AccountFault,  # no such AI Gateway [S]
    2008: AccountFault,  # AI Gateway: invalid provider [S]
    2009: AccountFault,  # rejected credentials of a provider [D]
    2016: ContentRefused,  # guardrails: the prompt [D]
    2017: ContentRefused,  # guardrails: the answer [D]
    2021: AccountFault,  # AI Gateway: no credits [S]
    2041: SpendLimitReached,  # AI Gateway [S]
    3003: BadInput,  # [D]
    3006: RequestTooLarge,  # [D]
    3007: UpstreamTimedOut,  # [D]
    3008: UpstreamTimedOut,  # [D]
    3010: BadInput,  # "invalid or incomplete input"; under 413 a full context [S]
    3021: RateReached,  # [S]
    3023: AccountFault,  # blocked [D]
    3030: BadInput,  # "the inference server says no" [S]
    3036: AllocationUsedUp,  # [D]
    3039: BadInput,  # a finetune lacks files [D]
    3040: NoCapacity,  # [D]
    3041: ModelNotForAccount,  # [D]
    3042: ModelMissing,  # [D]
    3046: UpstreamTimedOut,  # [S]
    4006: AllocationUsedUp,  # [S]
    5004: BadInput,  # [D]
    5005: BadInput,  # no LoRA [D]
    5006: BadInput,  # does not fit the model's schema [S]
    5007: ModelMissing,  # [D]
    5016: LicenceNotAccepted,  # [D]
    5018: ModelNotForAccount,  # [D]
    5019: ServerFault,  # [D]
    5021: ContextTooLong,  # [S]
    5023: BadInput,  # JSON schemas and streams [S]
    5024: SchemaUnmet,  # comes with 403 [S]
    5028: ModelMissing,  # deprecated [S]
    5035: ModelNotForAccount,  # Workers Paid [D]
    6003: AccountFault,  # a header of the credentials that is none [D]
    6111: AccountFault,  # the same [D]
    7000: ServerFault,  # [S]
    7001: ServerFault,  # [S]
    7003: AccountFault,  # an account id that is none [S]
    7009: ServerFault,  # [S]
    8001: BadInput,  # [C]
    8005: ServerFault,  # [C]
    8006: BadInput,  # [C]
    8007: BadInput,  # [S]
    8008: ServerFault,  # [S]
    9015: BadInput,  # "invalid prompt: failed to parse prompt" [S]
    9103: AccountFault,  # an unknown key or address [D]
    9106: AccountFault,  # a token that is none [S]
    9109: AccountFault,  # [D]
    10000: AccountFault,  # [D]
}

# Where the same code means another thing under another status.
BY_CODE_AND_STATUS: Final[Mapping[tuple[int, int], type[Refused]]] = {
    (3010, 413): ContextTooLong,
}

# The word that inference servers, OpenAI and Anthropic put beside their message.
BY_KIND: Final[Mapping[str, type[Refused]]] = {
    "authentication_error": AccountFault,
    "BadRequestError": BadInput,
    "bad_request_error": BadInput,
    "invalid_request_error": BadInput,
    "invalid_prompt": BadInput,
    "NotFoundError": ModelMissing,
    "not_found_error": ModelMissing,
    "model_not_found": ModelMissing,
    "overloaded_error": NoCapacity,
    "rate_limit_error": RateReached,
    "rate_limit_exceeded": RateReached,
    "timeout_error": UpstreamTimedOut,
    "InternalServerError": ServerFault,
    "internal_server_error": ServerFault,
    "server_error": ServerFault,
}

BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    400: BadInput,
    401: AccountFault,
    402: AccountFault,
    403: AccountFault,
    404: ModelMissing,
    405: ServerFault,
    408: UpstreamTimedOut,
    409: TryAgainSoon,
    410: ModelMissing,
    413: RequestTooLarge,
    415: BadInput,
    422: BadInput,
    429: TryAgainSoon,
    504: UpstreamTimedOut,
    524: UpstreamTimedOut,  # Cloudflare's edge waited in vain [D]
    529: Overloaded,
}

# A 403 whose code nobody knows is about access where its words say so, or where it has none.
_ABOUT_ACCESS = re.compile(
    r"\b(?:forbidden|denied|unauthori[sz]ed|authori[sz]\w+|authenticat\w+|permissions?|tokens?|"
    r"credentials?|accounts?|polic(?:y|ies)|gateway|billing|subscription|plan|blocked|"
    r"access|ip address|zone|attention required|just a moment|error code: 1\d{3})\b",
    re.IGNORECASE,
)
# … unless they name what a request holds.
_ABOUT_REQUEST = re.compile(
    r"\b(?:prompt|messages?|input|json|schema|parameters?|fields?|tool|image|audio|body|content|"
    r"max_tokens|temperature|model (?:could|couldn|can|cannot|did|does))\b|'/\w",
    re.IGNORECASE,
)

# A failure inside a success has no status to go by.
_SURELY_ABOUT_REQUEST = re.compile(
    r"'/\w|\bmismatch\b|\bmust (?:be|have|not)\b|"
    r"\b(?:invalid|incomplete|malformed) (?:or incomplete )?(?:input|request|prompt|schema)\b",
    re.IGNORECASE,
)

NO_HEADERS: Final[Mapping[str, str]] = {}
_MODEL_NAME = re.compile(r"@[ch]f/[\w./-]{1,200}")


def refusal(
    body: object, *, status: int, headers: Mapping[str, str] = NO_HEADERS, upstream_id: str = ""
) -> Refused:
    """The error that a failure body means: parsed JSON of any shape, a text, or None.

    `status` is the answer's HTTP status, and 200 for a failure inside a success; then a status that
    the body itself names counts in its place.
    """
    failure = bodies.read(body, BY_CODE)
    counts = failure.status if status < 400 and failure.status is not None else status
    words = failure.text or _said_without_words(failure, status)
    chosen = _meant(failure, counts)
    if chosen is None and _is_another_servers(body, status):
        chosen = AccountFault
        words = f"HTTP {status} without Cloudflare's envelope: is CLOUDFLARE_API_BASE_URL right?"
    chosen = chosen or _by_status(counts)
    return chosen(
        words,
        status=status,
        code=failure.code,
        retry_after_s=seconds_until_reset(headers, body, words, now=time.time()),
        upstream_id=upstream_id,
        tokens=counts_in(failure.text[:LONGEST_WORDS]),
    )


def _said_without_words(failure: bodies.Failure, status: int) -> str:
    if failure.kind:
        return f"{failure.kind} (HTTP status {status})"
    return f"Workers AI answered with HTTP status {status}"


def _is_another_servers(body: object, status: int) -> bool:
    """A redirect, or a path that is unknown to whoever answered."""
    return 300 <= status < 400 or (status == 404 and not isinstance(body, dict | list))


def _meant(failure: bodies.Failure, status: int) -> type[Refused] | None:
    """What words, code or kind say; None where only the status is left."""
    # Models are called what they like, also `moderation`.
    words = _MODEL_NAME.sub("@model", failure.text[:LONGEST_WORDS])
    for wording in BY_WORDS:
        if wording.fits(words, status):
            return wording.error
    if failure.code is not None:
        exact = BY_CODE_AND_STATUS.get((failure.code, status)) or BY_CODE.get(failure.code)
        if exact is not None:
            return exact
    by_kind = BY_KIND.get(failure.kind)
    if by_kind is not None and not _contradicts(by_kind, status):
        return by_kind
    if status == 403 and words and _is_about_the_request(words):
        return BadInput
    if status < 300 and _SURELY_ABOUT_REQUEST.search(words):
        return BadInput
    return None


def _by_status(status: int) -> type[Refused]:
    return BY_STATUS.get(status, BadInput if 400 < status < 500 else ServerFault)


def _contradicts(by_kind: type[Refused], status: int) -> bool:
    """A kind that blames the caller beside a status that does not, or the other way round. OpenAI
    calls a wrong key and a missing model `invalid_request_error` too.
    """
    if status >= 500:
        return issubclass(by_kind, BadInput | ModelMissing)
    return by_kind is BadInput and status >= 400 and _by_status(status) is not BadInput


def _is_about_the_request(text: str) -> bool:
    return _ABOUT_REQUEST.search(text) is not None or _ABOUT_ACCESS.search(text) is None
