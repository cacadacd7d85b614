"""Settings that are fine alone and wrong together, and what else the checks look at."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import run_checks

from proxysite.checks import (
    check_collector,
    check_debug,
    check_forwarded_headers,
    check_host_names,
    check_wildcards,
)
from proxysite.setting_readers.otlp import Collector, SecretHeaders
from tests.needs import ROOT


def ids(check: Any) -> list[str | None]:
    return [message.id for message in check(None)]


@pytest.mark.parametrize("name", ["CORS_ALLOWED_ORIGINS", "FORWARDED_ALLOW_IPS"])
def test_a_wildcard_beside_other_values_is_an_error(settings: Any, name: str) -> None:
    setattr(settings, name, ["*", "https://chat.example.com"])
    assert ids(check_wildcards) == ["proxysite.E001"]


@pytest.mark.parametrize("values", [[], ["*"], ["https://chat.example.com"]])
def test_a_wildcard_alone_is_meant(settings: Any, values: list[str]) -> None:
    settings.CORS_ALLOWED_ORIGINS = settings.FORWARDED_ALLOW_IPS = values
    assert ids(check_wildcards) == []


@pytest.mark.parametrize(
    ("https", "proxies", "expected"),
    [
        (True, [], ["proxysite.W002"]),
        (True, ["127.0.0.1"], []),
        (True, ["*"], ["proxysite.W001"]),
        (False, ["*"], ["proxysite.W001"]),
        (False, [], []),
    ],
)
def test_https_without_a_believed_proxy_is_a_warning(
    settings: Any, https: bool, proxies: list[str], expected: list[str]
) -> None:
    settings.HTTPS, settings.FORWARDED_ALLOW_IPS = https, proxies
    assert ids(check_forwarded_headers) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["localhost", "127.0.0.1"], ["proxysite.W003"]),
        (["localhost", "gateway.example.com"], []),
        (["*"], []),
    ],
)
def test_an_admin_that_only_answers_to_localhost_is_a_warning(
    settings: Any, hosts: list[str], expected: list[str]
) -> None:
    settings.ALLOWED_HOSTS = hosts
    assert ids(check_host_names) == expected


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("http://collector:4318/v1/traces", {"authorization": "x"}, ["proxysite.W005"]),
        ("http://collector:4318/v1/traces", {}, []),
        ("https://collector/v1/traces", {"authorization": "x"}, []),
        ("http://127.0.0.1:4318/v1/traces", {"authorization": "x"}, []),
    ],
)
def test_a_collectors_credentials_in_plain_text_are_a_warning(
    settings: Any, url: str, headers: dict[str, str], expected: list[str]
) -> None:
    settings.OTEL_TRACES = Collector(url, SecretHeaders(headers), 10, "none", "")
    assert ids(check_collector) == expected


@pytest.mark.parametrize(("debug", "expected"), [(True, ["proxysite.W004"]), (False, [])])
def test_debugging_is_a_warning_at_every_start(
    settings: Any, debug: bool, expected: list[str]
) -> None:
    settings.DEBUG = debug
    assert ids(check_debug) == expected
    found = [message.id for message in run_checks() if message.id == "proxysite.W004"]
    assert found == expected


WHAT_IS_LOADED = """
import django, sys
django.setup()
from django.core.checks import run_checks
from keys.management.commands.list_keys import Command
command = Command()
command.check(tags=command.requires_system_checks)
assert "keys.operators.key_admin" not in sys.modules
run_checks(tags=["admin"])
assert "keys.operators.key_admin" in sys.modules
"""


def test_commands_start_without_the_pages_and_the_checks_load_them() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "proxysite.settings"}
    subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED], cwd=ROOT, env=environment, check=True, timeout=60
    )
