"""A headless Chromium that notes what a person would not see: console errors and other hosts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.gateway import GatewayProcess
from tests.needs import program

PASSWORD = "a-password-of-the-tests"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@dataclass
class Seen:
    """Complaints of the console, and requests to hosts that are not the gateway."""

    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while it runs, Playwright's event loop is in the way of async tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextmanager
def watched_page(browser: Browser, gateway: GatewayProcess, **options: Any) -> Iterator[Page]:
    """A page of a browser of its own; the test fails when the browser had to complain."""
    seen = Seen()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    def look(request: Request) -> None:
        if not request.url.startswith((gateway.url, "data:")):
            seen.elsewhere.append(request.url)

    options = {"viewport": {"width": 1280, "height": 900}, "base_url": gateway.url, **options}
    context = browser.new_context(**options)
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", look)
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert not seen.complaints
    assert not seen.elsewhere


@pytest.fixture
def page(browser: Browser, gateway: GatewayProcess) -> Iterator[Page]:
    """A page of the signed-in operator's."""

    def make_operator() -> None:
        users = get_user_model().objects
        if not users.filter(username="browser").exists():
            users.create_superuser("browser", password=PASSWORD)

    gateway.database(make_operator)
    with watched_page(browser, gateway) as page:
        page.goto("/admin/")
        page.fill("#id_username", "browser")
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")
        page.wait_for_url("**/admin/")
        yield page
