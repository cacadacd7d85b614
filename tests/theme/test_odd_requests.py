"""Lists and forms of the admin, asked for what nobody's page asks."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from catalog.models import Alias, CatalogModel
from keys.models import Team
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.engines import postgres_server
from workers_ai.simulator.serve import RunningSimulator


@pytest.fixture(scope="module")
def on_postgresql(
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[tuple[GatewayProcess, dict[str, str]]]:
    """It refuses texts and numbers that SQLite takes. With an operator's cookies."""
    with (
        django_db_blocker.unblock(),
        postgres_server(migrated=True) as url,
        running_gateway(
            tmp_path_factory.mktemp("odd"),
            session_upstream,
            refresh=False,
            migrated=True,
            DATABASE_URL=url,
        ) as gateway,
    ):
        operator = gateway.database(lambda: get_user_model().objects.create_superuser("operator"))
        yield gateway, {settings.SESSION_COOKIE_NAME: gateway.session_of(operator)}


@pytest.mark.parametrize(
    "page",
    [
        "catalog/catalogchange/?kind__exact=%00",
        "catalog/catalogchange/?model_name=%00",
        "catalog/catalogchange/?at__year=99999999",
        "catalog/refreshrun/?trigger__exact=%00",
        "catalog/catalogmodel/?task__exact=%00",
        "alerts/alert/?severity__exact=%00",
        "keys/key/?name=%00",
        "auth/user/?username__startswith=%00",
        "autocomplete/?app_label=keys&model_name=key&field_name=owner&term=%00",
    ],
)
def test_a_filter_that_cannot_be_compared_is_no_failure(
    on_postgresql: tuple[GatewayProcess, dict[str, str]], page: str
) -> None:
    gateway, cookies = on_postgresql
    with httpx.Client(base_url=f"{gateway.url}/admin/", cookies=cookies, timeout=40) as browser:
        answer = browser.get(page, follow_redirects=True)
    assert answer.status_code == 200, gateway.log[-3000:]
    assert "Traceback" not in gateway.log


@pytest.fixture
def pages_with_tables(db: None) -> dict[str, str]:
    model = CatalogModel.objects.create(name="@cf/a/b")
    alias = Alias.objects.create(alias="a", target=model)
    team = Team.objects.create(name="t")
    return {
        f"/admin/catalog/alias/{alias.pk}/change/": "fallbacks",
        f"/admin/keys/team/{team.pk}/change/": "memberships",
        "/admin/keys/team/add/": "limits_of_team",
    }


def test_a_form_has_no_more_rows_than_somebody_could_fill(
    admin_client: Client, pages_with_tables: dict[str, str]
) -> None:
    """Each row reads its choices from the database: a thousand took half a minute."""
    for page, table in pages_with_tables.items():
        form = str(admin_client.get(page).content)
        fields = dict(re.findall(r'name="([a-z_]+-[A-Z]+_FORMS)" value="(\d+)"', form))
        assert f"{table}-TOTAL_FORMS" in fields
        fields[f"{table}-TOTAL_FORMS"] = "9" * 10
        answer = admin_client.post(
            page, urlencode(fields), content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 200
        rows = set(re.findall(rf'name="{table}-(\d+)-', str(answer.content)))
        assert 0 < len(rows) <= 50


def test_a_cookie_that_no_session_has_is_none(
    on_postgresql: tuple[GatewayProcess, dict[str, str]],
) -> None:
    """In quotes a cookie spells any character."""
    gateway, _ = on_postgresql
    cookie = f'{settings.SESSION_COOKIE_NAME}="\\000aaaaaaaaaaaa"'
    for page in ("/accounts/login/", "/admin/login/"):
        assert httpx.get(gateway.url + page, headers={"cookie": cookie}).status_code == 200
    for page in ("/", "/admin/"):
        assert httpx.get(gateway.url + page, headers={"cookie": cookie}).status_code == 302


@pytest.mark.parametrize("charset", ["utf-7", "latin-1"])
def test_a_form_in_another_charset_is_a_bad_request(db: None, charset: str) -> None:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.get("/accounts/login/")  # the cookie for forms
    form = f"application/x-www-form-urlencoded; charset={charset}"
    for page, status in (("/accounts/login/", 400), ("/nothing/", 404)):
        assert browser.post(page, b"a=b", content_type=form).status_code == status
