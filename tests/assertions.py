"""What many tests assert in the same words."""

from typing import Any

import httpx

ERROR_FIELDS = {"message", "type", "param", "code"}


def assert_openai_error(
    response: httpx.Response,
    status: int,
    *,
    code: str | None = None,
    param: str | None = None,
    says: str = "",
) -> dict[str, Any]:
    """The response is an error in OpenAI's form; its `error` object."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == ERROR_FIELDS
    assert error["message"] and isinstance(error["message"], str)
    assert error["type"] and isinstance(error["type"], str)
    if code is not None:
        assert error["code"] == code, error
    if param is not None:
        assert error["param"] == param, error
    assert says in error["message"], error["message"]
    return error
