"""A client of the management API within the tests' own process, and what all its answers have."""

import json
from datetime import timedelta
from itertools import count
from typing import Any

from django.test import Client
from django.utils import timezone

from management_api.models import ServiceToken
from management_api.scopes import SCOPES
from management_api.tokens import issue_token
from tests.keys.factories import user

_ids = count(10**6)
PROBLEM = {"type", "title", "status", "code", "detail"}


def new_token(*scopes: str, **fields: Any) -> tuple[ServiceToken, str]:
    token = ServiceToken(
        **{
            # Requests are counted in memory by it, also those of tests before.
            "id": next(_ids),
            "name": "terraform",
            "scopes": list(scopes or SCOPES),
            "expires_at": timezone.now() + timedelta(days=1),
            **fields,
        }
    )
    return token, issue_token(token, user("operator").pk)


class Api:
    """Sends JSON below `/api/` with a token."""

    def __init__(self, text: str, **headers: str) -> None:
        self.http = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {text}", **headers}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        as_json = {"content_type": "application/json"}
        sent = {} if body is None else {"data": json.dumps(body), **as_json}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.generic(method, f"/api{path}", headers={**self.headers, **named}, **sent)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)


def assert_problem(response: Any, status: int, code: str = "", pointer: str = "") -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert set(told) >= PROBLEM and set(told) <= PROBLEM | {"errors"}
    assert told["status"] == status
    if code:
        assert told["code"] == code, told
    if pointer:
        assert pointer in [error["pointer"] for error in told["errors"]], told
    return told
