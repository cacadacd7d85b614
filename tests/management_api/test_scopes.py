"""Who may do what: docs/api.md has every method of every path with its scope, and no other scope
will do."""

import re

import pytest

from management_api.openapi import document
from management_api.scopes import FAMILIES, SCOPES
from tests.management_api.api_client import Api, assert_problem, new_token
from tests.needs import ROOT

BODIES = {
    "limits": {"what": "usd", "window": "day", "amount": 1},
    "raises": {"what": "usd", "window": "day", "plus": 1, "until": "2099-01-31", "why": "x"},
    "raise-requests": {
        "key_id": 1,
        "what": "usd",
        "window": "day",
        "plus": 1,
        "until": "2099-01-31",
        "why": "x",
    },
}


def table() -> dict[tuple[str, str], list[str]]:
    """Method and path → the scopes of which one is needed."""
    found = {}
    section = (ROOT / "docs/api.md").read_text().partition("## Who may do what")[2]
    for requests, scopes in re.findall(r"^\| (`.*`) \| (`.*`) \|$", section, re.MULTILINE):
        for method, path in re.findall(r"`([A-Z]+) (/\S+)`", requests):
            found[method, path] = re.findall(r"`(\w+:\w+)`", scopes)
    return found


TABLE = table()


def test_the_table_has_every_operation_and_the_document_its_scopes() -> None:
    told = {
        (method.upper(), path): operation["x-scopes"]
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }
    assert told == TABLE


def test_every_scope_is_explained() -> None:
    page = (ROOT / "docs/api.md").read_text()
    assert [scope for scope in SCOPES if f"| `{scope}` |" not in page] == []
    assert {scope.split(":")[0] for scope in SCOPES} == set(FAMILIES)


@pytest.mark.django_db
def test_each_method_needs_its_scope_and_no_other_will_do() -> None:
    only = {scope: Api(new_token(scope)[1]) for scope in SCOPES}
    all_but = {
        scope: Api(new_token(*(other for other in SCOPES if other != scope))[1]) for scope in SCOPES
    }
    for (method, path), scopes in TABLE.items():
        name = path.split("/")[1]
        for scope in scopes:
            holder = "team" if len(scopes) > 1 and scope.startswith("teams") else "key"
            number = f"{holder}-1-daily-usd" if name == "limits" else "1"
            asked = path.replace("{id}", number).replace("{owner_id}", "1")
            body = {**BODIES.get(name, {}), "holder_type": holder, "holder_id": 1}
            if method == "GET":
                body = None
                if name in ("limits", "raises", "raise-requests") and "{" not in path:
                    asked += f"?holder_type={holder}&holder_id=1"
            elif name not in BODIES or "{" in path:
                body = {}
            # There is no such object, or the body is wrong: the scope did.
            allowed = only[scope](method, asked, body)
            assert allowed.status_code not in (401, 403, 500), (method, path, scope)
            if "{" in path and len(scopes) > 1 and name != "limits":
                continue  # Whose it is is not known while there is none.
            refused = all_but[scope](method, asked, body)
            assert_problem(refused, 403, "scope_missing")


@pytest.mark.django_db
def test_no_token_makes_another_or_an_operator() -> None:
    api = Api(new_token()[1])
    for path in ("/service-tokens/", "/tokens/", "/users/", "/operators/"):
        assert_problem(api.post(path, {"scopes": list(SCOPES)}), 404)
    assert not any("token" in path for path in document()["paths"])
