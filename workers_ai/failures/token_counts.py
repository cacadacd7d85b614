"""The numbers in what Workers AI says of prompts and limits that are too long. Pure.

Each pattern is a wording that was seen, of Cloudflare itself or of one of its inference servers
(vLLM, SGLang, TGI); digits may be grouped. Published captures up to November 2026.
"""

import re
from typing import Final

from workers_ai.errors import NO_COUNTS, TokenCounts

_N: Final = r"(?P<{}>\d[\d,_]{{0,14}})"
WINDOW, ASKED, PROMPT, OUTPUT, MOST = (
    _N.format(name) for name in ("window", "asked", "prompt", "output", "most_output")
)
# Words between two numbers of one sentence.
_GAP: Final = r"[^\d]{0,160}?"

WORDINGS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # "The estimated number of input and maximum output tokens (35000) exceeded this model
        # context window limit (24000)": Cloudflare's own, 3010 and 5021. In short forms only the
        # brackets are left.
        rf"(?<!max_)tokens\s*\({ASKED}\){_GAP}\({WINDOW}\)",
        # vLLM: "This model's maximum context length is 24000 tokens. However, you requested 4096
        # output tokens and your prompt contains at least 20164 input tokens, for a total of …"
        rf"maximum context length is {WINDOW} tokens{_GAP}requested {OUTPUT} output tokens{_GAP}"
        rf"prompt contains (?:at least )?{PROMPT}(?: input tokens{_GAP}total of (?:at least )?"
        rf"{ASKED})?",
        # vLLM and OpenAI: "… you requested 40000 tokens (36000 in the messages, 4000 in the
        # completion)".
        rf"maximum context length is {WINDOW} tokens{_GAP}requested {ASKED} tokens"
        rf"(?:\s*\({PROMPT} in the [a-z ]{{1,20}}[,;] {OUTPUT} in the completion)?",
        # OpenAI: "… However, your messages resulted in 24010 tokens".
        rf"maximum context length is {WINDOW} tokens{_GAP}resulted in {PROMPT} tokens",
        # vLLM: "'max_tokens' … is too large: 32000. This model's maximum context length is 24000
        # tokens and your request has 20164 input tokens".
        rf"too large: {OUTPUT}\.{_GAP}maximum context length is {WINDOW} tokens{_GAP}"
        rf"has {PROMPT} input",
        # SGLang: "Requested token count exceeds the model's maximum context length of 262144
        # tokens. You requested a total of 263925 tokens: 199925 tokens from the input messages and
        # 64000 tokens for the completion."
        rf"maximum context length of {WINDOW} tokens{_GAP}total of {ASKED} tokens"
        rf"(?:{_GAP}{PROMPT} tokens from the input{_GAP}{OUTPUT} tokens for the completion)?",
        # SGLang: "The input (30000 tokens) is longer than the model's context length (24000
        # tokens)".
        rf"\({PROMPT} tokens\){_GAP}(?:context length|longer than){_GAP}\({WINDOW} tokens\)",
        # vLLM: "The decoder prompt (length 30000) is longer than the maximum model length of
        # 24000".
        rf"prompt \(length {PROMPT}\){_GAP}maximum model length of {WINDOW}",
        # "Input length (30000) exceeds model's maximum context length (24000)".
        rf"input length\s*\({PROMPT}\){_GAP}(?:context )?length\s*\({WINDOW}\)",
        # "Max context reached 80030 tokens but model supports only 60000": of embeddings.
        rf"max context reached {PROMPT} tokens{_GAP}supports only {WINDOW}",
        # "max_completion_tokens is too large: 262144. This model supports at most 256000 completion
        # tokens".
        rf"too large: {OUTPUT}\.{_GAP}(?:at most|maximum of) {MOST}",
        # TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and
        # 256 `max_new_tokens`".
        rf"must be <= {WINDOW}\. Given: {PROMPT} `inputs`[^\d]{{0,40}}{OUTPUT} `max_new_tokens`",
        rf"less than {WINDOW} tokens\. Given: {PROMPT}",
        # "max_tokens (32000) exceeds the maximum of 8192", "max_tokens must be less than or equal
        # to 8192".
        rf"max_(?:completion_|new_|output_)?tokens['\"`]?\s*\({OUTPUT}\){_GAP}"
        rf"(?:at most|maximum|limit)(?: of| is)?\s*\(?{MOST}",
        rf"max_(?:completion_|new_|output_)?tokens['\"`]?\s*(?:must|should) be"
        rf"{_GAP}(?:<=|equal to|at most|than) {MOST}",
        # Anthropic's: "prompt is too long: 210000 tokens > 200000 maximum".
        rf"prompt is too long: {PROMPT} tokens > {WINDOW}",
        # "… exceeds the limit of 512 tokens", with no other number.
        rf"maximum context length (?:is|of) {WINDOW}",
        rf"context (?:window|length)(?: limit)? (?:is|of) {WINDOW}",
    )
)

# What stands beside single numbers in sentences that no wording above takes whole.
_PARTS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"context (?:length|size|window)(?: limit)?\W{{0,3}}(?:is|of)? ?(?:only )?\(?{WINDOW}",
        rf"{WINDOW} maximum context",
        rf"max_(?:model|seq|total)_(?:len|tokens)\W{{1,3}}(?:max_total_tokens=)?{WINDOW}",
        rf"max_num_tokens \({WINDOW}\)",
        rf"maximum (?:allowed )?(?:length|number of tokens)(?: allowed)?\W{{1,2}}(?:of )?{WINDOW}",
        rf"(?:configured|maximum|allowed) (?:limit|maximum|allowed) of {WINDOW} tokens",
        rf"\b(?:has|have|contains|passed|resulted in)(?: at least)? {PROMPT} (?:\w{{5,6}} )?tokens",
        rf"{PROMPT} (?:tokens )?(?:in|from) (?:your |the )(?:input|prompt|messages)",
        rf"(?:input|prompt|sequence) length\W{{1,2}}{PROMPT}",
        rf"\(total length {PROMPT}\)",
        rf"input token count \({PROMPT}\)",
        rf"\brequest \({PROMPT} tokens\)",
        rf"prompt is too long: {PROMPT}",
        rf"too long: {PROMPT} tokens ?> ?{WINDOW}",
        rf"{ASKED} tokens were (?:asked for|requested)",
        rf"\brequested {OUTPUT} output tokens",
        rf"{OUTPUT} (?:tokens )?(?:in|for|from) (?:your |the )completion",
        rf"max_(?:completion_|new_|output_)?tokens\W{{1,3}}{OUTPUT}",
        rf"max_(?:completion_|new_|output_)?tokens: {OUTPUT} > {MOST}",
        rf"(?:range of|between) (?:max_\w{{0,12}}tokens is )?\[?1(?:, | and ){MOST}",
        rf"max_\w{{0,12}}tokens {OUTPUT} exceeds (?:the )?[a-z' ]{{0,30}}{MOST}",
    )
)


def counts_in(text: str) -> TokenCounts:
    """What the first wording that fits names, and what stands beside single numbers where it names
    less than a window and what was asked of it.
    """
    if not any(character.isdigit() for character in text):
        return NO_COUNTS
    named: dict[str, int] = {}
    for wording in WORDINGS:
        found = wording.search(text)
        if found is not None:
            _take(named, found)
            break
    if named.keys() <= {"window"} or named.keys() <= {"output"}:
        for part in _PARTS:
            found = part.search(text)
            if found is not None:
                _take(named, found)
    return _completed(TokenCounts(**named)) if named else NO_COUNTS


def _take(named: dict[str, int], found: re.Match[str]) -> None:
    for name, number in found.groupdict().items():
        if number is not None:
            named.setdefault(name, int(re.sub(r"[,_]", "", number)))


def _completed(counts: TokenCounts) -> TokenCounts:
    """Prompt and limit together, where both are named and their sum is not."""
    if counts.asked is None and counts.prompt is not None and counts.output is not None:
        return TokenCounts(
            window=counts.window,
            asked=counts.prompt + counts.output,
            prompt=counts.prompt,
            output=counts.output,
            most_output=counts.most_output,
        )
    return counts
