"""What failures say in words, and which class of `errors.py` each means.

To teach the reader a new sentence, add a line to the class that fits, with its source: [D]
Cloudflare's documentation, [S] what users published of answers that they got, [C] the source of
Cloudflare's own clients.
"""

import re
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
    SchemaUnmet,
    ServerFault,
    SpendLimitReached,
    UpstreamTimedOut,
)


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


ABOUT_LENGTH: Final = frozenset({200, 400, 403, 413, 422, 500})
_LIMIT: Final = r"max_(?:completion_|new_|output_)?tokens"

# The first that fits counts.
BY_WORDS: Final = (
    # "you have used up your daily free allocation of 10,000 neurons" [D]
    _said(
        AllocationUsedUp,
        r"daily free allocation",
        r"\bdaily (?:\w+ ){0,2}(?:allocation|quota|limit)\b",
        r"\b(?:allocation|quota|limit)\b.{0,30}\b(?:per day|(?:for|of) (?:the day|today))\b",
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
    # Guardrails and data loss prevention: "Prompt blocked due to security configurations",
    # "Request content blocked due to DLP policy violations" [D]; pictures: "Your output has been
    # flagged", "Input prompt contains NSFW content" [S]
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
        r"\bDLP\b",
        r"data loss prevention",
        r"\bviolat\w+ (?:of )?(?:our|the|its|these) (?:\w+ ){0,3}(?:polic(?:y|ies)|guidelines)\b",
    ),
    # "JSON Mode couldn't be met" [D], "JSON Model couldn't be met" [S]
    _said(SchemaUnmet, r"JSON Model? (?:could not|couldn.?t) be met"),
    # TGI adds prompt and limit: "`inputs` tokens + `max_new_tokens` must be <= 4096" [S]
    _said(
        ContextTooLong,
        r"\b(?:tokens|length)\b[^+]{0,20}\+ ?`?max_(?:new_|output_)?tokens",
        statuses=ABOUT_LENGTH,
    ),
    # "max_completion_tokens is too large: 262144. This model supports at most 256000 completion
    # tokens" [S]
    _said(
        LimitTooLarge,
        r"supports at most [\d,]+ (?:completion|output) tokens",
        rf"{_LIMIT}\W+(?:must|should) be (?:<=|less|at most|no more|between|in the range)",
        rf"{_LIMIT}\W+\(?[\d,]+\)? (?:exceeds|is greater|is larger|cannot be greater)",
        rf"{_LIMIT}\W+[\d,]+ ?> ?[\d,]+",
        rf"\b(?:range|maximum(?: value)?) (?:of|for) {_LIMIT}\b",
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
        r"\b(?:input|prompt|sequence|token) (?:length|tokens?|count|limit)\b.{0,60}"
        r"\b(?:exceed\w*|longer than|over)\b.{0,60}(?:\btokens?|\blength|\d)",
        r"\b(?:inputs?|prompt|text)\b.{0,30}\bexceeds?\b.{0,40}\btokens\b",
        r"\b(?:inputs?|prompt|text) (?:is |are )?too (?:long|large)\b.{0,40}\b(?:tokens?|model)\b",
        r"\btoken limit exceeded\b",
        r"prompt length\b.{0,60}\bnot exceed\b",
        r"too many (?:input |prompt )?tokens",
        r"`inputs` (?:tokens|must have less than)",
        statuses=ABOUT_LENGTH,
    ),
    # gpt-oss wrote a header that its server cannot read: "Unknown recipient: …" [S]. The request
    # is not to blame, and usually passes when it is sent again.
    _said(
        ServerFault,
        r"\bunknown (?:recipient|channel)\b",
        r"unexpected tokens? remaining in message header",
    ),
    # A file in a message that its server cannot read: 8005, 8006, also with 500 [S]
    _said(
        BadInput,
        r"\b(?:cannot|can.?t|could not|failed to|unable to) (?:identify|decode) "
        r"(?:\w+ ){0,3}(?:image|picture|audio|video)",
        r"\b(?:invalid|unsupported|corrupt(?:ed)?|malformed) (?:data for )?(?:image|audio|video)\b",
        statuses=frozenset({200, 400, 403, 415, 422, 500}),
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
        r"\bmodel\W.{0,80}\bdoes not exist",
        statuses=frozenset({200, 400, 404, 410}),
    ),
    # 3046: "Request timeout" [S], 8004: "Operation timeout" [C]
    _said(
        UpstreamTimedOut,
        r"\b(?:operation|request|inference|upstream|gateway)\W{1,3}(?:has )?time(?:d[ -]?| )?out\b",
        r"\ba timeout occurred",
        statuses=frozenset({408, 500, 503, 504, 524}),
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
