"""Where alerts go: webhooks and the mail server."""

import contextlib
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from proxysite.setting_readers.network import scheme_of
from proxysite.setting_readers.plain import bad_setting, matching


class SecretUrl(str):
    """Shown without its path, which lets whoever has it write to a channel."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(scheme_of(self))


def webhook(name: str, got: str) -> SecretUrl:
    """An http(s) URL with a host. No message quotes it."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(got)
        is_one_word = got.isascii() and got.isprintable() and " " not in got
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and is_one_word:
            return SecretUrl(got)
    raise bad_setting(name, scheme_of(got), "http:// or https:// URLs with commas between them")


def mail_address(got: str) -> str:
    return matching(r"[^\s@<>,;:\"()]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")(got)


def mail_server(name: str, got: str) -> dict[str, Any]:
    """Django's settings for a URL such as smtp+tls://user:password@mail.example.com:587. No message
    quotes it."""
    if not got:
        return {}
    scheme = got.partition("://")[0]
    usual_ports = {"smtp": 25, "smtps": 587, "smtp+tls": 587, "smtp+ssl": 465}
    with contextlib.suppress(ValueError, KeyError, ImproperlyConfigured):
        config: dict[str, Any] = environ.Env.email_url_config(got)
        if scheme in usual_ports and config["EMAIL_HOST"] and config["EMAIL_PORT"] != 0:
            config["EMAIL_PORT"] = config["EMAIL_PORT"] or usual_ports[scheme]
            return config
    raise bad_setting(
        name, scheme_of(got), "smtp://, smtp+tls:// or smtp+ssl:// with user:password@host:port"
    )
