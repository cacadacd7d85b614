"""The body of a refusal on a path that is not of `/v1`: a line of text, or a problem document."""

from django.conf import settings

from management_api.problems import CONTENT_TYPE, Problem, is_management_api, problem_body
from openai_api.errors import ApiError

PREFIX = settings.URL_PREFIX


def refusal_words(error: ApiError, path: str) -> tuple[str, bytes]:
    """Media type and body."""
    if is_management_api(path.removeprefix(PREFIX)):
        return CONTENT_TYPE, problem_body(
            Problem(error.status, error.code or "refused", str(error))
        )
    return "text/plain; charset=utf-8", f"{error}\n".encode()
