"""The one reader of Cloudflare's failures: which class of `errors.py` an answer means.

What is said counts first, Cloudflare's code second, the HTTP status last: one code stands for
several things (3030, 3010 and 8007 each carry length, validation and moderation), and a status for
even more. To teach it a new failure, add a line to the table that fits, with its source.

Sources: [D] Cloudflare's documentation, [S] what users published of answers that they got, [C] the
source of Cloudflare's own clients; read up to November 2026.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workers_ai.errors import (
    AccountFault,
    AllocationUsedUp,
    BadInput,
    ContentRefused,
    ContextTooLong,
    LicenceNotAccepted,
    LimitTooLarge,
    ModelMissing,
    ModelNotForAccount,
    NoCapacity,
    PolicyDenied,
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
from workers_ai.failures.token_counts import counts_in

# What a failure is about stands in its first words; the rest may quote the request.
LONGEST_WORDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wording:
    """`said` anywhere in the words means `error`; with `statuses`, only under one of those."""

    error: type[Refused]
    said: re.Pattern[str]
    statuses: frozenset[int] | None = None

    def fits(self, text: str, status: int) -> bool:
        """`text` is short: a pattern may look at all of it from each place in it."""
        if self.statuses is not None and status not in self.statuses:
            return False
        return self.said.search(text) is not None


def _said(error: type[Refused], *patterns: str, statuses: frozenset[int] | None = None) -> Wording:
    return Wording(error, re.compile("|".join(patterns), re.IGNORECASE), statuses)


# The first that fits counts.
BY_WORDS: Final = (
    # "you have used up your daily free allocation of 10,000 neurons" [D]
    _said(
        AllocationUsedUp,
        r"daily free allocation",
        r"\bneurons? (?:allocation|quota|limit)",
        statuses=frozenset({200, 402, 403, 429, 500, 503}),
    ),
    # AI Gateway: "Spend limit exceeded: rule 'r1' (cost limit 100 per 604800s, sliding)" [S],
    # policies: "Spending limit exceeded" [D]
    _said(
        SpendLimitReached,
        r"\bspend(?:ing)? limit\b",
        r"\bbudget (?:limit )?exceeded",
        statuses=frozenset({200, 402, 403, 429}),
    ),
    # AI Gateway's policies: "Access denied by policy" [D]
    _said(
        PolicyDenied,
        r"\b(?:denied|blocked|refused|rejected) by (?:\w+ ){0,3}polic(?:y|ies)\b",
        statuses=frozenset({200, 401, 403}),
    ),
    # Guardrails: "Prompt blocked due to security configurations" [D]; pictures: "Your output has
    # been flagged", "Input prompt contains NSFW content" [S]
    _said(
        ContentRefused,
        r"\bflagged\b",
        r"\bnsfw\b",
        r"blocked due to security",
        r"\b(?:content|safety|moderation|usage) (?:policy|policies|filter\w*|system|guidelines)\b",
        r"\b(?:unsafe|inappropriate|prohibited|harmful|sensitive|explicit) "
        r"(?:content|prompt|image)",
        r"\bguardrails?\b",
        r"moderation",
    ),
    # "JSON Mode couldn't be met" [D], "JSON Model couldn't be met" [S]
    _said(SchemaUnmet, r"JSON Model? (?:could not|couldn.?t) be met"),
    # "max_completion_tokens is too large: 262144. This model supports at most 256000 completion
    # tokens" [S]
    _said(
        LimitTooLarge,
        r"supports at most [\d,]+ (?:completion|output) tokens",
        r"max_(?:completion_|new_|output_)?tokens\W+(?:must|should) be (?:<=|less|at most|no more)",
        r"max_(?:completion_|new_|output_)?tokens\W+\(?[\d,]+\)? (?:exceeds|is greater|is larger)",
    ),
    # 3010 and 5021 [D], the inference servers' [S]; see `token_counts.py`
    _said(
        ContextTooLong,
        r"context (?:window|length|size)(?: limit)?\b.*(?:exceed|limit|\d)",
        r"(?:exceed|longer than|larger than|too long for|over)\w*\b.{0,80}\bcontext",
        r"max(?:imum)? context",
        r"max context reached",
        r"context_length_exceeded",
        r"prompt is too long",
        r"prompt \(length \d+\) is longer than the maximum model length",
        r"(?:input|prompt) (?:length|tokens?)\b.{0,60}\bexceeds?\b.{0,60}\btokens?",
        r"too many (?:input |prompt )?tokens",
        r"`inputs` (?:tokens|must have less than)",
        statuses=frozenset({200, 400, 403, 413, 422, 500}),
    ),
    # gpt-oss wrote a header that its server cannot read: "Unknown recipient: …" [S]. The request
    # is not to blame, and usually passes when it is sent again.
    _said(
        ServerFault,
        r"\bunknown (?:recipient|channel)\b",
        r"unexpected tokens? remaining in message header",
    ),
    # Terms that a first request accepts: 5016 [D]
    _said(
        LicenceNotAccepted,
        r"\b(?:submit|send|enter|reply with|prompt)\b.{0,40}['\"`]agree['\"`]",
        r"\b(?:agree|accept\w*)\b.{0,60}\b(?:licen[cs]e|terms|use policy|agreement)\b",
        r"\b(?:licen[cs]e|terms)\b.{0,60}\b(?:not|must|to) be (?:agreed|accepted)",
    ),
    # 5035 [D], 3041 and 5018 [D], access by form [S]
    _said(
        ModelNotForAccount,
        r"workers paid",
        r"\bprivate model",
        r"not allowed (?:to (?:use|access)|for) (?:this |the |private )*model",
        r"\b(?:request|requires?|apply for|granted?) (?:early )?access\b",
        r"access to (?:this|the) model",
    ),
    # 3021: "rate limiting: inference request per min rate reached" [S]
    _said(
        RateReached,
        r"\brate.?limit(?:ed|ing|s)?\b",
        r"per min(?:ute)? rate",
        r"too many requests",
        statuses=frozenset({200, 429, 500, 502, 503, 529}),
    ),
    # 3040: "Capacity temporarily exceeded, please try again." [D]
    _said(
        NoCapacity,
        r"capacity (?:is )?(?:temporarily )?exceeded",
        r"(?:no|out of|insufficient|at) (?:available )?capacity",
        r"\boverloaded\b",
        statuses=frozenset({200, 408, 429, 500, 502, 503, 504, 529}),
    ),
    # 5007 and 3042 [D], 5028: "model was deprecated" [S]
    _said(
        ModelMissing,
        r"no such model",
        r"model (?:was|has been|is) (?:deprecated|removed|retired|no longer)",
        r"(?:unknown|invalid) model(?: id| name)?\b(?!.{0,40}\b(?:input|parameter))",
        statuses=frozenset({200, 400, 404, 410}),
    ),
    # 10000: "Authentication error" [D]; also what a proxy in between says
    _said(
        AccountFault,
        r"\bauthentication (?:error|failed)",
        r"unable to authenticate",
        r"\b(?:(?:api|access|bearer|auth\w*) (?:token|key)|credentials?)\b.{0,40}\b(?:invalid|"
        r"expired|revoked|missing|malformed|not valid)\b",
        r"\b(?:invalid|expired|malformed|bad|missing|rejected) (?:\w+ )?(?:(?:api|access|bearer) "
        r"(?:token|key)|credentials?)\b",
        r"insufficient balance",
        r"add money to your gateway",
        statuses=frozenset({200, 400, 401, 402, 403}),
    ),
)

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
}

# A 403 whose code nobody knows is about access where its words say so, or where it has none.
_ABOUT_ACCESS = re.compile(
    r"\b(?:forbidden|denied|unauthori[sz]ed|authori[sz]\w+|authenticat\w+|permissions?|tokens?|"
    r"credentials?|accounts?|polic(?:y|ies)|gateway|billing|subscription|plan|blocked|"
    r"access|ip address|zone)\b",
    re.IGNORECASE,
)
# … unless they name what a request holds.
_ABOUT_REQUEST = re.compile(
    r"\b(?:prompt|messages?|input|json|schema|parameters?|fields?|tool|image|audio|body|content|"
    r"max_tokens|temperature|model (?:could|couldn|can|cannot|did|does))\b|'/\w",
    re.IGNORECASE,
)


def refusal(
    body: object, *, status: int, retry_after_s: float | None = None, upstream_id: str = ""
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
        retry_after_s=retry_after_s,
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
    words = failure.text[:LONGEST_WORDS]
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
    return None


def _by_status(status: int) -> type[Refused]:
    return BY_STATUS.get(status, BadInput if 400 < status < 500 else ServerFault)


def _contradicts(by_kind: type[Refused], status: int) -> bool:
    """A kind that blames the caller beside a status that does not, or the other way round."""
    return status >= 500 and issubclass(by_kind, BadInput | ModelMissing)


def _is_about_the_request(text: str) -> bool:
    return _ABOUT_REQUEST.search(text) is not None or _ABOUT_ACCESS.search(text) is None
