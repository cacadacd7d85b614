"""The pages' code is imported when it is asked for, beside the requests of a worker."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from proxysite import garbage
from proxysite import pages as pages_module
from proxysite.pages import Pages
from tests.gateway import GatewayProcess
from tests.needs import ROOT

WHAT_A_START_IMPORTS = """
import sys, django
django.setup()
from proxysite import start_checks
assert start_checks.run() == []
import proxysite.asgi
of_pages = {"proxysite.urls", "keys.operators", "management_api.base", "unfold.admin"}
assert not of_pages & {*sys.modules}, of_pages & {*sys.modules}
"""


class Urls:
    """In the place of Django's resolver: says when it is asked, and answers when it may."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def __call__(self) -> "Urls":
        return self

    @property
    def url_patterns(self) -> list[Any]:
        self.asked.set()
        self.may_answer.wait(20)
        if self.fault is not None:
            raise self.fault
        return []


@pytest.fixture
def having(monkeypatch: pytest.MonkeyPatch) -> Callable[[Urls], Pages]:
    # Or all that this process of tests has made would stay for good.
    monkeypatch.setattr(garbage, "keep_what_exists", lambda: None)

    def make(urls: Urls) -> Pages:
        monkeypatch.setattr(pages_module, "get_resolver", urls)
        return Pages()

    return make


async def test_the_first_page_has_them_imported_and_all_wait(
    having: Callable[[Urls], Pages],
) -> None:
    urls = Urls()
    pages = having(urls)
    first, second = (asyncio.create_task(pages.imported()) for _ in range(2))
    assert await asyncio.to_thread(urls.asked.wait, 20)
    assert not first.done() and not second.done()
    first.cancel()
    urls.may_answer.set()
    await asyncio.wait_for(second, 20)
    urls.asked.clear()
    await pages.imported()
    assert not urls.asked.is_set()


async def test_what_cannot_be_imported_is_told_and_holds_nobody(
    having: Callable[[Urls], Pages], caplog: pytest.LogCaptureFixture
) -> None:
    urls = Urls(ImportError("no module of that name"))
    urls.may_answer.set()
    await asyncio.wait_for(having(urls).imported(), 20)
    assert "The pages cannot be imported" in caplog.text
    assert "no module of that name" in caplog.text


def test_a_start_imports_no_page() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "proxysite.settings"}
    subprocess.run(
        [sys.executable, "-c", WHAT_A_START_IMPORTS], cwd=ROOT, env=environment, check=True
    )


def test_pages_that_are_asked_for_at_the_start_come(
    start_gateway: Callable[..., GatewayProcess],
) -> None:
    gateway = start_gateway()
    for path in ("/accounts/login/", "/admin/login/", "/api/docs/"):
        assert httpx.get(gateway.url + path, timeout=20).status_code == 200, path
    assert "ERROR" not in gateway.log
