"""Every setting of the gateway, read from the environment or `.env` here and nowhere else, by the
readers of `setting_readers/`.

Groups are in the order of `.env.example`. A bad value stops the start with one line that has the
variable, its value and what it accepts (`SettingError`). Wrong combinations are system checks.
"""

import ipaddress
import os
import re
import secrets
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.templatetags.static import static

from proxysite.setting_readers.accounts import further_accounts, rates
from proxysite.setting_readers.database import database
from proxysite.setting_readers.env_file import read_settings_file
from proxysite.setting_readers.messages import SecretUrl, mail_address, mail_server, webhook
from proxysite.setting_readers.network import (
    LONGEST_ISSUER,
    certificates,
    folders,
    issuer,
    listen_address,
    networks,
    origin,
    proxy_url,
    redis_url,
    url,
)
from proxysite.setting_readers.otlp import (
    Collector,
    collector_url,
    milliseconds,
    otlp_compression,
    otlp_exporter,
    otlp_headers,
    otlp_protocol,
    pairs,
    share,
)
from proxysite.setting_readers.plain import (
    SettingError,
    bad_setting,
    in_either_case,
    listed,
    matching,
    parsed,
    seconds,
    text,
    whole_number,
    yes_or_no,
)
from storage.names import is_name

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
read_settings_file(BASE_DIR / ".env")
# What the gateway keeps by itself, where nothing else is named: SQLite's file and the two below.
VAR_DIR = BASE_DIR / (env.ENVIRON.get("VAR_DIR") or "var")
# Left by `make run`, so that the other commands meet the same gateway: its own secret, and while it
# serves against the simulator where that is. What the environment or `.env` says comes first.
env.read_env(VAR_DIR / "secret.env", overwrite=not env.ENVIRON.get("SECRET_KEY"))
if not env.str("CLOUDFLARE_ACCOUNT_ID", default="") and not env.str(
    "CLOUDFLARE_API_TOKEN", default=""
):
    env.read_env(VAR_DIR / "simulator.env", overwrite=True)

# --- Cloudflare -------------------------------------------------------------------------------

CLOUDFLARE_ACCOUNT_ID = text("CLOUDFLARE_ACCOUNT_ID")
CLOUDFLARE_API_TOKEN = text("CLOUDFLARE_API_TOKEN")
if bool(CLOUDFLARE_ACCOUNT_ID) != bool(CLOUDFLARE_API_TOKEN):
    present, missing = (
        ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
        if CLOUDFLARE_ACCOUNT_ID
        else ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID")
    )
    raise SettingError(f"{missing} is not set but {present} is: Cloudflare takes both or neither.")
if CLOUDFLARE_ACCOUNT_ID and not re.fullmatch(r"[A-Za-z0-9_-]+", CLOUDFLARE_ACCOUNT_ID):
    raise bad_setting(
        "CLOUDFLARE_ACCOUNT_ID", CLOUDFLARE_ACCOUNT_ID, "the account's 32 hexadecimal characters"
    )
if re.search(r"[^\x21-\x7e]", CLOUDFLARE_API_TOKEN):
    # The value itself is a secret, so the message must not quote it.
    raise SettingError(
        "CLOUDFLARE_API_TOKEN has a space or a character outside ASCII in it: "
        "it takes the token alone, without 'Bearer'."
    )
CLOUDFLARE_ACCOUNTS = further_accounts(text("CLOUDFLARE_ACCOUNTS"))
_accounts = {"main": CLOUDFLARE_ACCOUNT_ID, **{each.name: each.id for each in CLOUDFLARE_ACCOUNTS}}
if CLOUDFLARE_ACCOUNTS and not CLOUDFLARE_ACCOUNT_ID:
    raise SettingError(
        "CLOUDFLARE_ACCOUNT_ID is not set but CLOUDFLARE_ACCOUNTS is: that has further accounts."
    )
if len(set(_accounts.values())) <= len(CLOUDFLARE_ACCOUNTS):
    raise SettingError("CLOUDFLARE_ACCOUNTS has a name or an account twice, or the first account.")
CLOUDFLARE_ACCOUNT_WEIGHTS = parsed(
    "CLOUDFLARE_ACCOUNT_WEIGHTS",
    list[tuple[str, int]](),
    rates,
    "whole numbers for names of accounts: main=3,second=1",
)
for _name, _ in CLOUDFLARE_ACCOUNT_WEIGHTS:
    if _name not in _accounts:
        raise bad_setting("CLOUDFLARE_ACCOUNT_WEIGHTS", _name, ", ".join(_accounts))
CLOUDFLARE_ACCOUNT_CHOICE = parsed(
    "CLOUDFLARE_ACCOUNT_CHOICE", "weight", matching("weight|neurons"), "weight or neurons"
)
# In their order; none where there is one account.
CLOUDFLARE_ACCOUNT_NAMES = list(_accounts) if CLOUDFLARE_ACCOUNTS else []
# What no text may show.
CLOUDFLARE_API_TOKENS = [CLOUDFLARE_API_TOKEN, *(each.token for each in CLOUDFLARE_ACCOUNTS)]
CLOUDFLARE_SECRETS = [*CLOUDFLARE_API_TOKENS, *_accounts.values()]
CLOUDFLARE_API_BASE_URL = url("CLOUDFLARE_API_BASE_URL", "https://api.cloudflare.com/client/v4")
CLOUDFLARE_AI_GATEWAY = parsed(
    "CLOUDFLARE_AI_GATEWAY",
    "",
    matching(r"[A-Za-z0-9_-]{1,64}"),
    "the name of an AI Gateway: letters, digits, - and _",
)
CLOUDFLARE_AI_GATEWAY_METADATA = listed("CLOUDFLARE_AI_GATEWAY_METADATA")
for _name in CLOUDFLARE_AI_GATEWAY_METADATA:
    if _name not in ("key", "owner", "team"):
        raise bad_setting("CLOUDFLARE_AI_GATEWAY_METADATA", _name, "key, owner and team, or some")
CLOUDFLARE_AI_GATEWAY_CACHE = yes_or_no("CLOUDFLARE_AI_GATEWAY_CACHE", False)
CLOUDFLARE_AI_GATEWAY_LOGS = yes_or_no("CLOUDFLARE_AI_GATEWAY_LOGS", False)
FREE_DAILY_NEURONS = whole_number("FREE_DAILY_NEURONS", 10_000, 0, 1_000_000_000)
RESERVED_NEURONS = whole_number("RESERVED_NEURONS", 0, 0, 1_000_000_000)
if FREE_DAILY_NEURONS * len(_accounts) < RESERVED_NEURONS:
    raise bad_setting(
        "RESERVED_NEURONS",
        RESERVED_NEURONS,
        f"a part of the {FREE_DAILY_NEURONS * len(_accounts)} neurons of FREE_DAILY_NEURONS",
    )

UPSTREAM_PROXY = proxy_url("UPSTREAM_PROXY", text("UPSTREAM_PROXY"))
# What many programs take, in either case; used where UPSTREAM_PROXY is empty.
HTTPS_PROXY = "" if UPSTREAM_PROXY else proxy_url("HTTPS_PROXY", in_either_case("HTTPS_PROXY"))
NO_PROXY = in_either_case("NO_PROXY")
# OpenSSL reads these two itself, and what it cannot use it leaves out without a word.
SSL_CERT_FILE = parsed("SSL_CERT_FILE", "", certificates, "a file of certificates in PEM form")
SSL_CERT_DIR = parsed(
    "SSL_CERT_DIR", "", folders, "folders of certificates, as c_rehash leaves them"
)
UPSTREAM_CONNECT_TIMEOUT = seconds("UPSTREAM_CONNECT_TIMEOUT", 10)
UPSTREAM_FIRST_BYTE_TIMEOUT = seconds("UPSTREAM_FIRST_BYTE_TIMEOUT", 300)
UPSTREAM_IDLE_TIMEOUT = seconds("UPSTREAM_IDLE_TIMEOUT", 120)
UPSTREAM_TOTAL_TIMEOUT = seconds("UPSTREAM_TOTAL_TIMEOUT", 3600)
UPSTREAM_POOL_TIMEOUT = seconds("UPSTREAM_POOL_TIMEOUT", 10)
UPSTREAM_MAX_CONNECTIONS = whole_number("UPSTREAM_MAX_CONNECTIONS", 4000, 1, 100_000)
UPSTREAM_RETRIES = whole_number("UPSTREAM_RETRIES", 2, 0, 10)
UPSTREAM_RETRY_BUDGET = seconds("UPSTREAM_RETRY_BUDGET", 15, low=0)
ACCOUNT_QUEUE_WAIT = seconds("ACCOUNT_QUEUE_WAIT", 60, low=0)
ACCOUNT_RATES = parsed(
    "ACCOUNT_RATES",
    list[tuple[str, int]](),
    rates,
    "requests a minute for names or patterns of models, or tasks: NAME=20,OTHER=300",
)

# --- Keys and limits --------------------------------------------------------------------------

PROXY_API_KEY = text("PROXY_API_KEY")
REDIS_URL = redis_url(text("REDIS_URL"))
BUDGET_TIMEOUT = seconds("BUDGET_TIMEOUT", 5)

# --- Members ----------------------------------------------------------------------------------

MEMBER_MAX_KEYS = whole_number("MEMBER_MAX_KEYS", 5, 0, 1000)
MEMBER_KEY_LIMITS = listed(
    "MEMBER_KEY_LIMITS",
    parse=matching(
        r"(rpm|tpm|concurrency|days)=[1-9]\d{0,17}"
        r"|((daily|monthly|total)-usd|daily-neurons)=(?!0*\.?0*$)\d{1,9}(\.\d{1,6})?"
        r"|(models|endpoints|networks)=[^\s;=]+(;[^\s;=]+)*"
    ),
    takes="limits such as rpm=60, daily-usd=5, days=90 or models=@cf/meta/*;@cf/openai/*",
)
LEAVER_KEYS = parsed("LEAVER_KEYS", "keep", matching("keep|revoke"), "keep or revoke")

# --- Single sign-on ---------------------------------------------------------------------------

OIDC_ISSUER = parsed(
    "OIDC_ISSUER",
    "",
    issuer,
    f"an https:// URL without a query, of at most {LONGEST_ISSUER} characters; http:// on this "
    "machine only",
)
OIDC_CLIENT_ID = text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = text("OIDC_CLIENT_SECRET")
OIDC_NAME = text("OIDC_NAME", "single sign-on")
OIDC_EMAIL_DOMAINS = listed(
    "OIDC_EMAIL_DOMAINS",
    parse=lambda got: matching(r"[a-z0-9-]+(\.[a-z0-9-]+)+")(got.lower()),
    takes="domains such as example.com, without an @",
)
OIDC_TRUST_EMAIL = yes_or_no("OIDC_TRUST_EMAIL", False)
OIDC_SCOPES = listed("OIDC_SCOPES", parse=matching(r"[!#-\[\]-~]+"), takes="scopes such as groups")
OIDC_GROUPS_CLAIM = text("OIDC_GROUPS_CLAIM", "groups")
OIDC_OPERATOR_GROUPS = listed("OIDC_OPERATOR_GROUPS")
OIDC_TEAM_GROUPS = listed(
    "OIDC_TEAM_GROUPS",
    # The team is what comes last, and what cannot be the name of one matches nothing.
    parse=lambda got: matching(r"[^=]{1,120}|[^=]{1,200}=[^=]{1,120}")(
        got if is_name(got.rpartition("=")[2]) else ""
    ),
    takes="groups such as research, or ai-users=research where the team has another name",
)
OIDC_ONLY = yes_or_no("OIDC_ONLY", False)
_oidc = {
    "OIDC_ISSUER": OIDC_ISSUER,
    "OIDC_CLIENT_ID": OIDC_CLIENT_ID,
    "OIDC_CLIENT_SECRET": OIDC_CLIENT_SECRET,
}
if any(_oidc.values()) and not all(_oidc.values()):
    missing = next(name for name, value in _oidc.items() if not value)
    present = next(name for name, value in _oidc.items() if value)
    raise SettingError(
        f"{missing} is not set but {present} is: single sign-on takes "
        f"{', '.join(_oidc)} or none of them."
    )
if OIDC_ONLY and not OIDC_ISSUER:
    raise SettingError("OIDC_ONLY turns passwords off but OIDC_ISSUER is not set: nobody gets in.")

# --- What requests may ask for ----------------------------------------------------------------

DEFAULT_MAX_TOKENS = whole_number("DEFAULT_MAX_TOKENS", None, 1, 1_000_000)
DEFAULT_IMAGE_MODEL = text("DEFAULT_IMAGE_MODEL")
DEFAULT_IMAGE_SIZE = parsed(
    "DEFAULT_IMAGE_SIZE",
    "1024x1024",
    lambda got: (
        "x".join(str(int(side)) for side in re.fullmatch(r"(\d+)x(\d+)", got).groups())  # type: ignore[union-attr]
        if re.fullmatch(r"[1-9]\d{1,3}x[1-9]\d{1,3}", got)
        else str(int(""))
    ),
    "WIDTHxHEIGHT in pixels, such as 1024x1024",
)
MAX_IMAGE_COUNT = whole_number("MAX_IMAGE_COUNT", 1, 1, 4)
MAX_BODY_BYTES = whole_number("MAX_BODY_BYTES", 32 * 1024 * 1024, 1024, 1024**3)
IMAGE_FETCH_TIMEOUT = seconds("IMAGE_FETCH_TIMEOUT", 10)
IMAGE_FETCH_MAX_BYTES = whole_number("IMAGE_FETCH_MAX_BYTES", 10 * 1024 * 1024, 1024, 1024**3)
IMAGE_FETCH_ALLOWED_NETWORKS = networks("IMAGE_FETCH_ALLOWED_NETWORKS")
DOCUMENTS = yes_or_no("DOCUMENTS", True)
DOCUMENT_TIMEOUT = seconds("DOCUMENT_TIMEOUT", 30, low=1)
DOCUMENT_MAX_PAGES = whole_number("DOCUMENT_MAX_PAGES", 100, 1, 100_000)
DOCUMENT_MAX_TEXT_BYTES = whole_number("DOCUMENT_MAX_TEXT_BYTES", 256 * 1024, 1024, 64 * 1024**2)
DOCUMENT_MEMORY_BYTES = whole_number("DOCUMENT_MEMORY_BYTES", 16 * 1024 * 1024, 0, 1024**3)
RESPONSE_ITEMS_MAX_BYTES = whole_number("RESPONSE_ITEMS_MAX_BYTES", 32 * 1024 * 1024, 0, 1024**3)
RESPONSE_ITEMS_TTL = seconds("RESPONSE_ITEMS_TTL", 3600, low=1)
USAGE_COST = yes_or_no("USAGE_COST", True)
ALLOW_UNPRICED_MODELS = yes_or_no("ALLOW_UNPRICED_MODELS", True)

# --- Ledger -----------------------------------------------------------------------------------

LEDGER_QUEUE_ROWS = whole_number("LEDGER_QUEUE_ROWS", 10_000, 1, 10_000_000)
LEDGER_TIMEOUT = seconds("LEDGER_TIMEOUT", 120, low=1)
LEDGER_GROUP_ROWS = whole_number("LEDGER_GROUP_ROWS", 500, 1, 100_000)
LEDGER_COMMIT_DELAY_MS = whole_number("LEDGER_COMMIT_DELAY_MS", 0, 0, 15_000)
LOG_RETENTION_DAYS = whole_number("LOG_RETENTION_DAYS", 0, 0, 36_500)

# --- Alerts -----------------------------------------------------------------------------------


ALERT_WEBHOOKS = [webhook("ALERT_WEBHOOKS", each) for each in listed("ALERT_WEBHOOKS")]
ALERT_WEBHOOK_NETWORKS = networks("ALERT_WEBHOOK_NETWORKS")
ALERT_EMAILS = listed(
    "ALERT_EMAILS",
    parse=mail_address,
    takes="addresses such as ops@example.com",
)
EMAIL_URL = SecretUrl(text("EMAIL_URL"))
_mail = mail_server("EMAIL_URL", EMAIL_URL)
if ALERT_EMAILS and not EMAIL_URL:
    raise SettingError(
        "EMAIL_URL is not set but ALERT_EMAILS is: it takes the mail server, such as "
        "smtp+tls://user:password@mail.example.com:587."
    )
EMAIL_HOST = _mail.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _mail.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_mail.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_mail.get("EMAIL_USE_SSL"))
# Seconds for each answer of the mail server.
EMAIL_TIMEOUT = 10
EMAIL_FROM = parsed("EMAIL_FROM", "", mail_address, "an address such as gateway@example.com")

# --- OpenTelemetry ----------------------------------------------------------------------------
# Named by OpenTelemetry's specification, whose durations are milliseconds. What is one for all
# signals may be said for one: OTEL_EXPORTER_OTLP_TRACES_HEADERS before OTEL_EXPORTER_OTLP_HEADERS.


OTEL_SDK_DISABLED = yes_or_no("OTEL_SDK_DISABLED", False)
OTEL_EXPORTER_OTLP_ENDPOINT = collector_url("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = collector_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = collector_url("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
OTEL_TRACES_EXPORTER = otlp_exporter("OTEL_TRACES_EXPORTER")
OTEL_METRICS_EXPORTER = otlp_exporter("OTEL_METRICS_EXPORTER")
OTEL_EXPORTER_OTLP_HEADERS = otlp_headers("OTEL_EXPORTER_OTLP_HEADERS")
OTEL_EXPORTER_OTLP_PROTOCOL = otlp_protocol("OTEL_EXPORTER_OTLP_PROTOCOL")
OTEL_EXPORTER_OTLP_TIMEOUT = milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)
OTEL_EXPORTER_OTLP_COMPRESSION = otlp_compression("OTEL_EXPORTER_OTLP_COMPRESSION")
OTEL_EXPORTER_OTLP_CERTIFICATE = parsed(
    "OTEL_EXPORTER_OTLP_CERTIFICATE", "", certificates, "a file of certificates in PEM form"
)
OTEL_RESOURCE_ATTRIBUTES = pairs(
    "OTEL_RESOURCE_ATTRIBUTES", "attributes such as deployment.environment.name=production"
)
OTEL_SERVICE_NAME = text(
    "OTEL_SERVICE_NAME", OTEL_RESOURCE_ATTRIBUTES.get("service.name", "workers-ai-gateway")
)
OTEL_PROPAGATORS = listed(
    "OTEL_PROPAGATORS",
    ["tracecontext"],
    matching("tracecontext|baggage|none"),
    "tracecontext, or none to neither take nor pass on traceparent",
)
OTEL_TRACES_SAMPLER = parsed(
    "OTEL_TRACES_SAMPLER",
    "parentbased_always_on",
    matching("(parentbased_)?(always_on|always_off|traceidratio)"),
    "always_on, always_off or traceidratio, alone or after parentbased_",
)
OTEL_TRACES_SAMPLER_ARG = parsed("OTEL_TRACES_SAMPLER_ARG", 1.0, share, "a share from 0 to 1")
OTEL_BSP_SCHEDULE_DELAY = milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000)
OTEL_BSP_MAX_QUEUE_SIZE = whole_number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1, 1_000_000)
OTEL_METRIC_EXPORT_INTERVAL = milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)


def collector_of(signal: str, exporter: str, endpoint: str) -> Collector | None:
    """None where the signal is not sent."""
    url = endpoint
    if OTEL_EXPORTER_OTLP_ENDPOINT and not endpoint:
        url = f"{OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/{signal.lower()}"

    def own(option: str) -> str:
        """The variable of this signal alone where there is one, else the one for all."""
        name = f"OTEL_EXPORTER_OTLP_{signal}_{option}"
        return name if text(name) else f"OTEL_EXPORTER_OTLP_{option}"

    otlp_protocol(own("PROTOCOL"))
    found = Collector(
        url,
        otlp_headers(own("HEADERS")),
        milliseconds(own("TIMEOUT"), 10_000) / 1000,
        otlp_compression(own("COMPRESSION")),
        parsed(own("CERTIFICATE"), "", certificates, "a file of certificates in PEM form"),
    )
    return found if url and exporter == "otlp" and not OTEL_SDK_DISABLED else None


OTEL_TRACES = collector_of("TRACES", OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
OTEL_METRICS = collector_of("METRICS", OTEL_METRICS_EXPORTER, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)

# --- Serving ----------------------------------------------------------------------------------

HOST = parsed(
    "HOST",
    "127.0.0.1",
    listen_address,
    "one address or name of this machine, without a port; 0.0.0.0 for all, :: with IPv6",
)
PORT = whole_number("PORT", 8000, 0, 65_535)
WEB_CONCURRENCY = whole_number("WEB_CONCURRENCY", 1, 1, 512)
STOP_GRACE = seconds("STOP_GRACE", 30, low=0)
DRAIN_DELAY = seconds("DRAIN_DELAY", 0, low=0)
KEEPALIVE_INTERVAL = seconds("KEEPALIVE_INTERVAL", 15)
IDLE_CONNECTION_TIMEOUT = seconds("IDLE_CONNECTION_TIMEOUT", 120, low=1)
REQUEST_HEAD_TIMEOUT = seconds("REQUEST_HEAD_TIMEOUT", 20, low=1)
REQUEST_BODY_TIMEOUT = seconds("REQUEST_BODY_TIMEOUT", 30, low=1)
RESPONSE_WRITE_TIMEOUT = seconds("RESPONSE_WRITE_TIMEOUT", 60, low=1)
DEBUG = yes_or_no("DEBUG", False)
HTTPS = yes_or_no("HTTPS", True)
ALLOWED_HOSTS = listed(
    "ALLOWED_HOSTS",
    ["localhost", "127.0.0.1", "[::1]"],
    matching(r"\*|\.?[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]"),
    "host names such as gateway.example.com, without a scheme or a port",
)
_ORIGINS = "origins such as https://chat.example.com"
# Django takes all names below one too, https://*.example.com.
CSRF_TRUSTED_ORIGINS = listed(
    "CSRF_TRUSTED_ORIGINS", (), matching(r"[a-z][a-z0-9+.-]*://(\*\.)?[^/\s*]+"), _ORIGINS
)
# What comes first in a path of the gateway itself.
OWN_SEGMENTS = {
    *("v1", "api", "admin", "accounts", "keys", "usage", "requests", "playground", "static"),
    *("raises", "sessions", "team"),
    *("healthz", "readyz", "metrics", "favicon.ico", "audio", "chat", "completions", "embeddings"),
    *("decisions", "images", "key", "messages", "models", "moderations", "rerank", "responses"),
    *("openapi.json", "v2"),  # of /v1/openapi.json and /v2/rerank
}


def path_prefix(got: str) -> str:
    prefix = matching(r"(/[A-Za-z0-9._~-]+)+/?")(got).rstrip("/")
    if prefix.split("/")[1] in OWN_SEGMENTS | {".", ".."}:
        raise ValueError
    return prefix


URL_PREFIX = parsed(
    "URL_PREFIX", "", path_prefix, "a path that the gateway has none of its own at, such as /ai"
)
# Whoever reads an alert is in no request that could tell the address.
_name = next((host for host in ALLOWED_HOSTS if host[0] not in "*."), "localhost")
_is_here = _name in ("localhost", "127.0.0.1", "[::1]")
PUBLIC_URL = url(
    "PUBLIC_URL",
    f"{'https' if HTTPS else 'http'}://{_name}{f':{PORT}' if _is_here else ''}{URL_PREFIX}",
)
DEFAULT_FROM_EMAIL = EMAIL_FROM or (
    EMAIL_HOST_USER
    if re.fullmatch(r"[^@\s]+@[^@\s]+", EMAIL_HOST_USER)
    else f"gateway@{urlsplit(PUBLIC_URL).hostname}"
)
COOKIE_PREFIX = parsed(
    "COOKIE_PREFIX", "gateway", matching(r"[A-Za-z0-9_-]{1,40}"), "letters, digits, - and _"
)
CORS_ALLOWED_ORIGINS = listed("CORS_ALLOWED_ORIGINS", (), origin, f"{_ORIGINS}, or * for any")
FORWARDED_ALLOW_IPS = listed(
    "FORWARDED_ALLOW_IPS",
    parse=lambda got: got if got == "*" else str(ipaddress.ip_network(got)),
    takes="addresses or networks of proxies such as 127.0.0.1 or 10.0.0.0/8",
)
METRICS_ALLOWED_NETWORKS = networks("METRICS_ALLOWED_NETWORKS")
LOG_FORMAT = parsed(
    "LOG_FORMAT",
    "text",
    lambda got: {"text": "text", "json": "json"}.get(got.lower()) or str(int("")),
    "text or json",
)
LOG_LEVEL = parsed(
    "LOG_LEVEL",
    "INFO",
    lambda got: (
        {w: w for w in ("DEBUG", "INFO", "WARNING", "ERROR")}.get(got.upper()) or str(int(""))
    ),
    "DEBUG, INFO, WARNING or ERROR",
)

# Published in examples, images and old repositories: anybody can make signatures with them.
KNOWN_SECRETS = {"secret", "changeme", "change-me", "django-insecure", "please-change-me"}
KNOWN_SECRETS |= {"password", "qwerty", "your-secret", "your_secret", "yoursecret", "insecure"}
KNOWN_SECRETS |= {"replace-me", "replaceme", "default", "example", "supersecret", "topsecret"}
# Different ones, as Django's own check has it.
FEWEST_CHARACTERS = 5


def is_counted_out(secret: str) -> bool:
    """Whether most characters are the one before them or its neighbour: aaaa, 12345678, abcdef."""
    steps = [abs(ord(after) - ord(before)) for before, after in pairwise(secret)]
    return 2 * sum(step <= 1 for step in steps) > len(steps)


SECRET_KEY = text("SECRET_KEY")
_NEEDS_NO_SECRET = {"makemigrations", "simulate_workers_ai", "help", "--help", "version"}
if not SECRET_KEY and len(sys.argv) > 1 and sys.argv[1] in _NEEDS_NO_SECRET:
    SECRET_KEY = "unused-by-a-command-that-signs-nothing"
elif DEBUG and not SECRET_KEY:
    # Of this process and those that it starts: one that stands here would be everybody's.
    SECRET_KEY = secrets.token_urlsafe(50)
elif (
    len(SECRET_KEY) < 32
    or len(set(SECRET_KEY)) < FEWEST_CHARACTERS
    or SECRET_KEY.lower().startswith(tuple(KNOWN_SECRETS))
    or is_counted_out(SECRET_KEY)
):
    what = "is not set" if not SECRET_KEY else "is too short, too uniform or publicly known"
    raise SettingError(
        f"SECRET_KEY {what}: it takes at least 32 random characters, for example from "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))'."
    )

# --- Django -----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "proxysite",
    "storage",
    "alerts",
    "openai_api",
    "keys",
    "catalog",
    "management_api",
    "workers_ai",
    "rest_framework",
    # Before the theme and the admin, whose templates it extends.
    "theme",
    "unfold.apps.BasicAppConfig",
    "theme.apps.OperatorAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# For the admin and the pages only: /v1 has its own handler (proxysite/api_handler.py).
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "proxysite.page_limit.PageLimitMiddleware",
    "proxysite.content_security.ContentSecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "proxysite.login_throttle.LoginThrottleMiddleware",
]

if OIDC_ISSUER:
    INSTALLED_APPS += [
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ]
    MIDDLEWARE.append("allauth.account.middleware.AccountMiddleware")
    SOCIALACCOUNT_ADAPTER = "keys.member.single_sign_on.Adapter"
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [
                {
                    # An identity is this and the `sub` that the issuer gives it.
                    "provider_id": OIDC_ISSUER,
                    "name": OIDC_NAME,
                    "client_id": OIDC_CLIENT_ID,
                    "secret": OIDC_CLIENT_SECRET,
                    "settings": {
                        "server_url": OIDC_ISSUER,
                        "oauth_pkce_enabled": True,
                        "scope": ["openid", "profile", "email", *OIDC_SCOPES],
                    },
                }
            ]
        }
    }
    # Nobody is asked for an e-mail address or sent a message: the provider knows the people.
    ACCOUNT_EMAIL_VERIFICATION = SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
    ACCOUNT_PREVENT_ENUMERATION = False
    SOCIALACCOUNT_EMAIL_REQUIRED = False
    # Rows of another issuer have no provider any more that could be asked for a name.
    SOCIALACCOUNT_SOCIALACCOUNT_STR = lambda identity: f"{identity.uid} at {identity.provider}"  # noqa: E731
    # What commands change is noted under an account of this name.
    ACCOUNT_USERNAME_BLACKLIST = ["manage.py"]

ROOT_URLCONF = "proxysite.urls"
ASGI_APPLICATION = "proxysite.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def make_var_dir() -> None:
    try:
        VAR_DIR.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"VAR_DIR is {str(VAR_DIR)!r}, which uid {os.geteuid()} cannot make "
            f"({error.strerror}): it takes a folder to write in. Or set DATABASE_URL."
        ) from None


DATABASES = {"default": database(text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'gateway.sqlite3'}"))}
if Path(DATABASES["default"]["NAME"]).parent == VAR_DIR:
    make_var_dir()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "member:sign_in"
LOGIN_REDIRECT_URL = "member:home"
AUTHENTICATION_BACKENDS = [
    "keys.member.sign_in.NoPasswords"
    if OIDC_ONLY
    else "proxysite.login_throttle.ThrottledModelBackend"
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "theme.formats"

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Workers AI Gateway",
    "SITE_HEADER": "Workers AI Gateway",
    "SITE_SUBHEADER": "Operators",
    "SITE_SYMBOL": "hub",
    "SITE_URL": f"{URL_PREFIX}/",
    "DASHBOARD_CALLBACK": "proxysite.dashboard.page.context",
    "STYLES": [
        lambda request: static("theme/tokens.css"),
        lambda request: static("theme/parts.css"),
        lambda request: static("theme/admin.css"),
    ],
}

# Which model the examples for coding agents name: pages of keys ask the catalog by this.
AGENT_MODEL = "catalog.suitable.agent_model"

FORCE_SCRIPT_NAME = URL_PREFIX or None
STATIC_URL = f"{URL_PREFIX}/static/"
# Static files are served from the packages themselves, without a collecting step.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SECURE_SSL_REDIRECT = HTTPS
# As /v1: a script does not repeat its body, and its token is sent by then.
SECURE_REDIRECT_EXEMPT = [r"^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# The gateway does not decide for other hosts of its domain, so it asks neither for them nor for
# browsers' preload lists, and Django need not warn of that.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Names of its own: a browser sends a host's cookies to every site on it, whatever the port, and
# two Django sites with the usual names would sign people out of each other.
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}_session"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}_csrf"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}_language"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{URL_PREFIX}/"
MESSAGE_STORAGE = "proxysite.messages.Messages"
# Records each session that ends, so that the playground's tokens end with it.
SESSION_ENGINE = "keys.access.sessions"
SESSION_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "keys.member.sign_in.csrf_failure"
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["keys.access.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_THROTTLE_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "proxysite.log_format.TextFormatter"},
        "json": {"()": "proxysite.log_format.JsonFormatter"},
    },
    "filters": {
        "outage": {"()": "proxysite.failure_pages.OutageFilter"},
        "as_warning": {"()": "proxysite.log_handler.AsWarning"},
        "full_queue": {"()": "proxysite.telemetry.full_queue.FullQueueFilter"},
    },
    "handlers": {
        "stderr": {"class": "proxysite.log_handler.TurnHandler", "formatter": LOG_FORMAT},
        "refusals": {
            "class": "proxysite.log_handler.TurnHandler",
            "formatter": LOG_FORMAT,
            "filters": ["as_warning"],
        },
        "telemetry": {
            "class": "proxysite.log_handler.TurnHandler",
            "formatter": LOG_FORMAT,
            "filters": ["full_queue"],
        },
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # The access log has its own line for every request, with more in it.
        "django.request": {"level": "ERROR", "propagate": True, "filters": ["outage"]},
        # Requests that Django finds suspicious; anybody can send one.
        "django.security": {"handlers": ["refusals"], "propagate": False},
        "uvicorn": {"level": "WARNING", "propagate": True},
        "asyncio": {"level": "WARNING", "propagate": True},
        # It would log every upstream URL, which holds the account id.
        "httpx": {"level": "WARNING", "propagate": True},
        "httpcore": {"level": "WARNING", "propagate": True},
        # It would tell each failure to send; proxysite/telemetry/exporters.py tells the first.
        "opentelemetry": {"handlers": ["telemetry"], "level": "WARNING", "propagate": False},
    },
}
