"""System checks of settings that are valid alone and wrong together, or unsafe in production.

What only matters behind a proxy is a deployment check: `manage.py check --deploy` reports it, and
the commands of a gateway on somebody's own machine do not repeat it.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}


@register("proxysite")
def check_wildcards(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """`*` beside other values: one of the two is a mistake."""
    listed = {
        "CORS_ALLOWED_ORIGINS": settings.CORS_ALLOWED_ORIGINS,
        "FORWARDED_ALLOW_IPS": settings.FORWARDED_ALLOW_IPS,
    }
    return [
        Error(
            f"{name} holds * beside other values.",
            hint="Use * alone to mean all, or name the values without it.",
            id="proxysite.E001",
        )
        for name, values in listed.items()
        if "*" in values and len(values) > 1
    ]


@register(Tags.security, deploy=True)
def check_forwarded_headers(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if settings.FORWARDED_ALLOW_IPS == ["*"]:
        return [
            Warning(
                "FORWARDED_ALLOW_IPS is *: whoever reaches the gateway can claim any address, "
                "so the networks of keys protect nothing.",
                hint="Name the addresses of your proxies.",
                id="proxysite.W001",
            )
        ]
    if settings.HTTPS and not settings.FORWARDED_ALLOW_IPS:
        return [
            Warning(
                "HTTPS is on and FORWARDED_ALLOW_IPS is empty: no request counts as https, so the "
                "admin redirects for ever.",
                hint="Name the address of the proxy that ends TLS, or set HTTPS=off.",
                id="proxysite.W002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_host_names(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if not set(settings.ALLOWED_HOSTS) <= LOCAL_HOSTS:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS holds only this machine's own names: the admin answers 400 under "
            "any other.",
            hint="Add the name that people use, such as gateway.example.com.",
            id="proxysite.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_collector(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Headers for a collector are credentials as a rule."""
    collectors = (settings.OTEL_TRACES, settings.OTEL_METRICS)
    open_ones = {
        urlsplit(to.url).hostname
        for to in collectors
        if to is not None and to.headers and to.url.startswith("http://")
    }
    return [
        Warning(
            f"OTEL_EXPORTER_OTLP_HEADERS goes to {host} in plain text: whoever listens reads it.",
            hint="Name the collector by https://, or leave the headers out.",
            id="proxysite.W005",
        )
        for host in sorted(open_ones - {"localhost", "127.0.0.1", "::1"}, key=str)
    ]


@register("proxysite")
def check_debug(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """At every start, not only among the deployment checks."""
    if not settings.DEBUG:
        return []
    return [
        Warning(
            "DEBUG is on: pages of failures show settings, code and what is in memory to whoever "
            "causes them.",
            hint="Take DEBUG out of the environment and .env, unless this is your own machine.",
            id="proxysite.W004",
        )
    ]
