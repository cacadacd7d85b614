"""What a running gateway tells over HTTP of each team's cost: operators, scripts and its lead."""

import csv
import html
import io
import re
from decimal import Decimal
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import get_user_model

from keys import shown
from keys.models import Team
from tests.gateway import GatewayProcess
from tests.management_api.api_client import new_token

_BAR = re.compile(
    r'<span class="bar-name">(?:<a[^>]*>)?([^<]+)(?:</a>)?</span><strong>([^<]+)</strong>'
)
_LINE = re.compile(
    r'<tr><th scope="row">(?:<a[^>]*>)?([^<]+)(?:</a>)?</th>.*?data-name="Cost \(USD\)">([^<]+)<'
)
_OWN = re.compile(r'data-name="Cost">([^<]+)<')


def assert_told(gateway: GatewayProcess, paid: dict[str, int]) -> None:
    """The page of the month, its CSV file and `/api/` tell each team's nano-dollars exactly; the
    dashboard and the lead's page tell them as pages show an amount."""
    report = "/admin/keys/requestlog/report"
    with _signed_in(gateway, gateway.database(_operator)) as operator:
        dashboard = dict(_BAR.findall(_text(operator, "/admin/?days=1&by=team&figure=cost")))
        page = dict(_LINE.findall(_text(operator, f"{report}/?by=team")))
        rows = csv.DictReader(io.StringIO(_text(operator, f"{report}.csv?by=team")))
        exact = [page, {row["team"]: row["cost_usd"] for row in rows}]
    token = gateway.database(lambda: new_token("usage:read")[1])
    with httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {token}"}) as script:
        lines = script.get("/api/usage/?by=team").json()["data"]
        exact.append({line["team"]: line["cost_usd"] for line in lines})
    for team, nano_usd in paid.items():
        assert [Decimal(told[team]).scaleb(9) for told in exact] == [nano_usd] * len(exact), team
        assert dashboard[team] == shown.usd(nano_usd)
        with _signed_in(gateway, gateway.database(lambda name=team: _lead_of(name))) as lead:
            assert _OWN.findall(_text(lead, "/team/")) == [shown.usd(nano_usd)]


def _operator() -> Any:
    rights = {"is_staff": True, "is_superuser": True}
    return get_user_model().objects.get_or_create(username="looking", defaults=rights)[0]


def _lead_of(team: str) -> Any:
    return Team.objects.get(name=team).memberships.get(is_lead=True).user


def _signed_in(gateway: GatewayProcess, user: Any) -> httpx.Client:
    cookies = {settings.SESSION_COOKIE_NAME: gateway.session_of(user)}
    return httpx.Client(base_url=gateway.url, cookies=cookies)


def _text(browser: httpx.Client, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)
