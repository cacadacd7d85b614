"""An error in the words of `/v1/responses`, whose fields have other names than those of chat."""

from openai_api.errors.tree import ApiError

# Chat's name of a field → its name in a Responses request.
_RESPONSES_FIELDS = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "include",
}


def in_words_of_responses(error: ApiError) -> ApiError:
    """The error with the field's name in `/v1/responses`."""
    param = _RESPONSES_FIELDS.get(error.param or "", error.param)
    return ApiError(
        error.message, param=param, code=error.code, status=error.status, type=error.type
    )
