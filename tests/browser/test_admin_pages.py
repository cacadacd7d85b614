"""What holds for every page of the admin: accessible to all, and of use without JavaScript."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from alerts import store
from alerts.models import Delivery
from tests.alerts.messages import finding
from tests.browser.axe import STANDARDS, violations
from tests.browser.conftest import PASSWORD, PATIENCE_MS
from tests.browser.test_admin import chat
from tests.gateway import GatewayProcess

PAGES = (
    "/admin/",
    "/admin/?days=365&by=key&figure=requests",
    "/admin/keys/key/",
    "/admin/keys/key/add/",
    "/admin/keys/key/{key}/change/",
    "/admin/keys/key/{key}/rotate/",
    "/admin/keys/key/{key}/revoke/",
    "/admin/keys/ownerlimits/add/",
    "/admin/keys/everybody/",
    "/admin/keys/raise/add/",
    "/admin/keys/raiserequest/",
    "/admin/keys/team/add/",
    "/admin/keys/requestlog/report/?by=key",
    "/admin/keys/requestlog/",
    "/admin/keys/requestlog/{row}/change/",
    "/admin/keys/requestlog/sessions/",
    "/admin/keys/requestlog/session/?session=all-pages",
    "/admin/catalog/catalogmodel/",
    "/admin/catalog/catalogmodel/1/change/",
    "/admin/catalog/catalogmodel/refresh/1/",
    "/admin/catalog/alias/add/",
    "/admin/catalog/catalogchange/",
    "/admin/catalog/refreshrun/1/change/",
    "/admin/alerts/alert/",
    "/admin/management_api/servicetoken/",
    "/admin/management_api/servicetoken/add/",
    "/api/docs/",
    "/admin/alerts/alert/{alert}/change/",
    "/admin/auth/user/",
    "/admin/admin/logentry/",
    "/admin/password_change/",
)


@pytest.fixture
def addresses(gateway: GatewayProcess) -> list[str]:
    """Every page, of a key that was used."""
    key, text = gateway.issue("of all pages", daily_budget_nano_usd=10**9, capture_text=True)
    row = gateway.row(chat(gateway, text, "all-pages").headers["x-request-id"])
    alert = gateway.database(an_alert)
    return [page.format(key=key.pk, row=row.pk, alert=alert) for page in PAGES]


def an_alert() -> int:
    told = store.tell(finding(f"of all pages, {timezone.now()}", severity="critical"))
    assert told is not None
    Delivery.objects.create(alert=told, channel="mail:a@b", label="mail to a@b", next_try_at=None)
    return told.pk


@pytest.mark.parametrize(
    ("scheme", "width", "rules", "every"),
    [("light", 1440, STANDARDS, 1), ("dark", 390, ["color-contrast", "target-size"], 2)],
    ids=["light and wide", "dark and narrow"],
)
def test_no_page_keeps_anybody_out(
    page: Page, addresses: list[str], scheme: Any, width: int, rules: list[str], every: int
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    found: list[str] = []
    for address in addresses[::every]:
        page.goto(address)
        # No page is wider than its window.
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        found += violations(page, rules)
    assert not found, "\n".join(found)


@pytest.fixture
def plain(browser: Browser, gateway: GatewayProcess, operator: Any) -> Iterator[Page]:
    """A page with JavaScript off, in which the operator has signed in."""
    context = browser.new_context(base_url=gateway.url, java_script_enabled=False)
    plain = context.new_page()
    plain.set_default_timeout(PATIENCE_MS)
    plain.goto("/admin/")
    plain.fill("#id_username", "browser")
    plain.fill("#id_password", PASSWORD)
    plain.press("#id_password", "Enter")
    yield plain
    context.close()


def test_without_javascript_a_key_is_issued_used_and_revoked(
    gateway: GatewayProcess, plain: Page
) -> None:
    plain.click("#nav-sidebar a:has-text('API keys')")
    plain.goto("/admin/keys/key/add/")
    plain.fill("#id_name", "without javascript")
    plain.select_option("#id_owner", label="browser")
    plain.click("button[name=_save]")
    key = plain.input_value("#issued-key")
    answer = chat(gateway, key)
    assert answer.status_code == 200

    plain.goto("/admin/keys/requestlog/")
    expect(plain.locator("#result_list tbody tr").first).to_contain_text("without javascript")
    plain.click("#changelist-filter summary:text-is('Endpoint')")
    plain.click("#changelist-filter a:text-is('images')")
    expect(plain).to_have_url(f"{gateway.url}/admin/keys/requestlog/?endpoint=images")

    plain.goto("/admin/keys/key/?q=without+javascript")
    plain.click("#result_list tbody tr:first-child th a")
    plain.click("a:text-is('Revoke')")
    plain.click("button:text-is('Revoke this key')")
    gateway.wait_until(lambda: chat(gateway, key).status_code == 401, "the key is out of use")


def test_a_figure_leads_to_its_rows_and_filters_open_by_keyboard(
    gateway: GatewayProcess, page: Page, addresses: list[str]
) -> None:
    assert chat(gateway, gateway.issue_key("leads to its rows")).status_code == 200
    page.goto("/admin/?days=1&figure=requests")
    page.click("a[aria-label='Requests: show in the request log']")
    expect(page.locator("#result_list tbody tr").first).to_be_visible()
    page.focus(".filters-button")
    page.keyboard.press("Enter")
    expect(page.locator("#changelist-filter")).to_be_visible()


def test_the_menu_of_the_account_works_by_keyboard(page: Page, addresses: list[str]) -> None:
    page.goto("/admin/keys/ownerlimits/")
    menu = page.locator("#user-menu")
    page.focus(".user-menu")
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    menu.get_by_role("button", name="Dark").press("Enter")
    expect(page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
    menu.get_by_role("button", name="System").press("Enter")
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.locator(".user-menu")).to_be_focused()


def test_on_a_phone_the_menu_opens_and_closes_by_keyboard(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/admin/keys/ownerlimits/")
    menu = page.locator("#nav-sidebar")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).press("Enter")
    expect(menu.get_by_role("link", name="Request log")).to_be_visible()
    page.get_by_role("button", name="Close the menu").press("Enter")
    expect(menu).to_be_hidden()


def test_one_choice_of_colours_holds_for_all_pages(page: Page) -> None:
    dark = re.compile(r"\bdark\b")
    page.goto("/usage/")
    page.press("header summary", "Enter")
    page.get_by_role("button", name="Dark").press("Enter")
    expect(page.locator("html")).to_have_class(dark)
    page.goto("/admin/keys/ownerlimits/")
    expect(page.locator("html")).to_have_class(dark)
    page.focus(".user-menu")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="System").press("Enter")
    page.goto("/usage/")
    expect(page.locator("html")).not_to_have_class(dark)
