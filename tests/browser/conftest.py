"""A headless Chromium that notes what a person would not see: console errors and other hosts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.gateway import GatewayProcess
from tests.needs import program

PASSWORD = "a-password-of-the-tests"
PATIENCE_MS = 30_000
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # A process less to start, and to draw through.
    "--in-process-gpu",
]


@dataclass
class Seen:
    """Complaints of the console, and requests to hosts that are not the gateway."""

    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with these tests: while it runs, Playwright's event loop is in the way of async ones."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        yield chromium
        chromium.close()


@cache
def real_hash() -> str:
    """Of PASSWORD; the forms of a gateway take no other."""
    return make_password(PASSWORD, hasher="pbkdf2_sha256")


def account(gateway: GatewayProcess, name: str, **fields: Any) -> Any:
    """Somebody who can sign in with PASSWORD."""

    def make() -> Any:
        users = get_user_model().objects
        known, _ = users.get_or_create(username=name, defaults={"password": real_hash(), **fields})
        return known

    return gateway.database(make)


@contextmanager
def watched_page(
    browser: Browser, gateway: GatewayProcess, user: Any = None, **options: Any
) -> Iterator[Page]:
    """A page of a browser of its own, signed in for `user`; the test fails when the browser had to
    complain."""
    seen = Seen()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    def look(request: Request) -> None:
        if not request.url.startswith((gateway.url, "data:")):
            seen.elsewhere.append(request.url)

    options = {"viewport": {"width": 1280, "height": 900}, "base_url": gateway.url, **options}
    context = browser.new_context(**options)
    if user is not None:
        name, value = settings.SESSION_COOKIE_NAME, gateway.session_of(user)
        session = {"name": name, "value": value, "url": gateway.url}
        context.add_cookies([session])
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", look)
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()
    assert not seen.complaints
    assert not seen.elsewhere


@pytest.fixture
def operator(gateway: GatewayProcess) -> Any:
    return account(gateway, "browser", is_staff=True, is_superuser=True)


@pytest.fixture
def page(browser: Browser, gateway: GatewayProcess, operator: Any) -> Iterator[Page]:
    """A page of the signed-in operator's."""
    with watched_page(browser, gateway, operator) as page:
        yield page
