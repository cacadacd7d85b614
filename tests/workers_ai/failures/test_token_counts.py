"""Numbers in words about length, as each server words them."""

import pytest

from workers_ai.errors import NO_COUNTS, TokenCounts
from workers_ai.failures.token_counts import counts_in


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (
            "The estimated number of input and maximum output tokens (35000) exceeded this model "
            "context window limit (24000).",
            TokenCounts(24000, 35000),
        ),
        (
            "This model's maximum context length is 24000 tokens. However, you requested 4096 "
            "output tokens and your prompt contains at least 20164 input tokens, for a total of at "
            "least 24260 tokens. Please reduce the length of the input prompt or the number of "
            "requested output tokens. (parameter=input_tokens, value=20164)",
            TokenCounts(24000, 24260, 20164, 4096),
        ),
        (
            "This model's maximum context length is 32768 tokens. However, you requested 40000 "
            "tokens (36000 in the messages, 4000 in the completion).",
            TokenCounts(32768, 40000, 36000, 4000),
        ),
        (
            "This model's maximum context length is 32768 tokens. However, you requested 40000 "
            "tokens in total.",
            TokenCounts(32768, 40000),
        ),
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9001 tokens. Please reduce the length of the messages.",
            TokenCounts(8192, None, 9001),
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum "
            "context length is 24000 tokens and your request has 20164 input tokens (32000 > 24000 "
            "- 20164).",
            TokenCounts(24000, 52164, 20164, 32000),
        ),
        (
            "Requested token count exceeds the model's maximum context length of 262144 tokens. "
            "You requested a total of 263925 tokens: 199925 tokens from the input messages and "
            "64000 tokens for the completion.",
            TokenCounts(262144, 263925, 199925, 64000),
        ),
        (
            "The input (30000 tokens) is longer than the model's context length (24000 tokens).",
            TokenCounts(24000, None, 30000),
        ),
        (
            "The decoder prompt (length 30000) is longer than the maximum model length of 24000.",
            TokenCounts(24000, None, 30000),
        ),
        (
            "Max context reached 80030 tokens but model supports only 60000",
            TokenCounts(60000, None, 80030),
        ),
        (
            "max_completion_tokens is too large: 262144. This model supports at most 256000 "
            "completion tokens.",
            TokenCounts(output=262144, most_output=256000),
        ),
        ("max_tokens must be less than or equal to 8192", TokenCounts(most_output=8192)),
        (
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and "
            "256 `max_new_tokens`",
            TokenCounts(4096, 5256, 5000, 256),
        ),
        ("prompt is too long: 210,000 tokens > 200,000 maximum", TokenCounts(200000, None, 210000)),
        (
            "This model's maximum context length is 32768 tokens. However, your request has 40000 "
            "input tokens.",
            TokenCounts(32768, None, 40000),
        ),
        (
            "You passed 16385 input tokens and requested 4096 output tokens. However, the model's "
            "context length is only 16384 tokens, resulting in a maximum input length of 12288.",
            TokenCounts(16384, 20481, 16385, 4096),
        ),
        (
            "The prompt (total length 30000) is too long to fit into the model (context length "
            "24000).",
            TokenCounts(24000, None, 30000),
        ),
        (
            "Input length (30000 tokens) exceeds the maximum allowed length (24000 tokens).",
            TokenCounts(24000, None, 30000),
        ),
        (
            "prompt length (30000) + max_tokens (4096) exceeds max_seq_len (24000)",
            TokenCounts(24000, 34096, 30000, 4096),
        ),
        (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
            "maximum context length",
            TokenCounts(32768, None, 40000),
        ),
        (
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in "
            "300000 tokens.",
            TokenCounts(272000, None, 300000),
        ),
        (
            "the request exceeds the available context size (8192 tokens), try increasing it",
            TokenCounts(8192),
        ),
        (
            "This model's maximum context length of 128000 tokens is exceeded: 140003 tokens were "
            "asked for (108003 in the prompt)",
            TokenCounts(128000, 140003, 108003),
        ),
        (
            "max_tokens: 64000 > 32000, which is the maximum",
            TokenCounts(output=64000, most_output=32000),
        ),
        ("the valid range of max_tokens is [1, 8192]", TokenCounts(most_output=8192)),
        ("Your output has been flagged.", NO_COUNTS),
        ("Length of '/prompt' must be <= 2048", NO_COUNTS),
    ],
)
def test_each_wording_gives_its_numbers(text: str, counts: TokenCounts) -> None:
    assert counts_in(text) == counts


def test_a_long_text_of_numbers_is_read_in_little_time() -> None:
    # 2,000 characters are what the reader looks at; each wording has bounded gaps.
    assert counts_in("maximum context length is 1 tokens " * 57) == TokenCounts(window=1)
