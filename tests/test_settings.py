"""A setting that cannot be used stops the start with one line; secrets are in no such line."""

import json
import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management.utils import get_random_secret_key

from proxysite.setting_readers.database import database

ROOT = Path(__file__).resolve().parent.parent
SaidBy = Callable[[list[dict[str, str]]], list[str]]
SECRET = "tests-only-" + "kB7xQ2mZ9w" * 5

# Reads the settings once for each case, a line of stdin, and prints what they say.
READ_EACH = """
import json, os, runpy, sys
from django.core.exceptions import ImproperlyConfigured
for line in sys.stdin:
    before = dict(os.environ)
    os.environ.update(json.loads(line))
    try:
        runpy.run_path("proxysite/settings.py")
        said = ""
    except ImproperlyConfigured as error:
        said = str(error)
    print(json.dumps(said), flush=True)
    os.environ.clear()
    os.environ.update(before)
"""


def environment(**settings: str) -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", "ENV_FILE", "VAR_DIR")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "SECRET_KEY": SECRET, **settings}


def run(*words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def said_by() -> Iterator[SaidBy]:
    """What the settings say in each of several environments. One process reads them all, since most
    of what reading takes is its start."""
    with subprocess.Popen(
        [sys.executable, "-c", READ_EACH],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        given, taken = process.stdin, process.stdout
        assert given is not None and taken is not None

        def said(case: dict[str, str]) -> str:
            print(json.dumps(case), file=given, flush=True)
            return str(json.loads(taken.readline()))

        yield lambda cases: [said(case) for case in cases]
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0 and not complaints, complaints


BAD = [
    ("CLOUDFLARE_API_BASE_URL", "api.cloudflare.com", "http"),
    ("CLOUDFLARE_AI_GATEWAY", "my gateway", "name"),
    ("SSL_CERT_FILE", "/nowhere/authority.pem", "certificates"),
    ("SSL_CERT_FILE", "/dev/null", "certificates"),
    ("SSL_CERT_DIR", "/nowhere", "folders"),
    ("UPSTREAM_CONNECT_TIMEOUT", "fast", "seconds"),
    ("UPSTREAM_IDLE_TIMEOUT", "0", "seconds"),
    ("UPSTREAM_FIRST_BYTE_TIMEOUT", "nan", "seconds"),
    ("UPSTREAM_TOTAL_TIMEOUT", "never", "seconds"),
    ("UPSTREAM_POOL_TIMEOUT", "-1", "seconds"),
    ("UPSTREAM_MAX_CONNECTIONS", "0", "whole number"),
    ("UPSTREAM_RETRIES", "1.5", "whole number"),
    ("UPSTREAM_RETRY_BUDGET", "10s", "seconds"),
    ("DEFAULT_MAX_TOKENS", "0", "whole number"),
    ("DEFAULT_IMAGE_SIZE", "1024", "WIDTHxHEIGHT"),
    ("DEFAULT_IMAGE_SIZE", "0x0", "WIDTHxHEIGHT"),
    ("MAX_IMAGE_COUNT", "5", "1 to 4"),
    ("MAX_BODY_BYTES", "20MB", "whole number"),
    ("IMAGE_FETCH_TIMEOUT", "soon", "seconds"),
    ("IMAGE_FETCH_MAX_BYTES", "1", "whole number"),
    ("IMAGE_FETCH_ALLOWED_NETWORKS", "intranet", "networks"),
    ("ALLOW_UNPRICED_MODELS", "maybe", "true or false"),
    ("MEMBER_MAX_KEYS", "-1", "whole number"),
    ("MEMBER_KEY_LIMITS", "rpm=0", "limits such as"),
    ("MEMBER_KEY_LIMITS", "rps=5", "limits such as"),
    ("MEMBER_KEY_LIMITS", "rpm=60, daily-usd=0.000", "limits such as"),
    ("MEMBER_KEY_LIMITS", "models=a b", "limits such as"),
    ("OIDC_ISSUER", "login.example.com", "http"),
    ("OIDC_ISSUER", "http://login.example.com", "https"),
    ("OIDC_ISSUER", "http://10.0.0.7/realms/team", "https"),
    ("OIDC_ISSUER", "http://localhost.example.com", "https"),
    ("OIDC_ISSUER", "https://login.example.com/?tenant=1", "without a query"),
    ("OIDC_ISSUER", "https://login.example.com/" + "x" * 200, "at most 200"),
    ("OIDC_EMAIL_DOMAINS", "@example.com", "domains"),
    ("OIDC_TEAM_GROUPS", "ai-users=pay\u3164set", "groups such as"),
    ("OIDC_TRUST_EMAIL", "entra", "true or false"),
    ("LEDGER_QUEUE_ROWS", "many", "whole number"),
    ("LEDGER_GROUP_ROWS", "0", "whole number"),
    ("LEDGER_TIMEOUT", "never", "seconds"),
    ("LEDGER_COMMIT_DELAY_MS", "-1", "whole number"),
    ("LOG_RETENTION_DAYS", "90d", "whole number"),
    ("ALERT_WEBHOOK_NETWORKS", "intranet", "networks"),
    ("ALERT_EMAILS", "ops", "addresses such as"),
    ("EMAIL_FROM", "The Gateway", "an address such as"),
    ("OTEL_SDK_DISABLED", "maybe", "true or false"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "10", "milliseconds from 100"),
    ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "10s", "milliseconds"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli", "none, gzip or deflate"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/authority.pem", "certificates"),
    ("OTEL_TRACES_EXPORTER", "console", "otlp or none"),
    ("OTEL_METRICS_EXPORTER", "prometheus", "otlp or none"),
    ("OTEL_PROPAGATORS", "b3", "tracecontext, or none"),
    ("OTEL_TRACES_SAMPLER", "jaeger_remote", "always_on, always_off or traceidratio"),
    ("OTEL_TRACES_SAMPLER_ARG", "25", "a share from 0 to 1"),
    ("OTEL_BSP_SCHEDULE_DELAY", "5", "milliseconds"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "whole number"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1m", "milliseconds"),
    ("CLOUDFLARE_API_BASE_URL", "https://api.cloudflare.com:99999/client/v4", "http"),
    ("CLOUDFLARE_API_BASE_URL", "https://…@proxy.example.com", "without credentials"),
    ("OIDC_ISSUER", "https://…@login.example.com", "https"),
    ("HOST", "*", "0.0.0.0 for all"),
    ("HOST", "localhost:8000", "without a port"),
    ("HOST", "http://0.0.0.0", "address or name"),
    ("HOST", "0.0.0.0, ::", "one address"),
    ("PORT", "80000", "0 to 65535"),
    ("WEB_CONCURRENCY", "auto", "whole number"),
    ("STOP_GRACE", "-5", "seconds"),
    ("DRAIN_DELAY", "-1", "seconds"),
    ("KEEPALIVE_INTERVAL", "often", "seconds"),
    ("IDLE_CONNECTION_TIMEOUT", "0", "seconds"),
    ("REQUEST_HEAD_TIMEOUT", "20s", "seconds"),
    ("REQUEST_BODY_TIMEOUT", "nan", "seconds"),
    ("RESPONSE_WRITE_TIMEOUT", "never", "seconds"),
    ("DEBUG", "perhaps", "true or false"),
    ("HTTPS", "https", "true or false"),
    ("ALLOWED_HOSTS", "https://gateway.example.com", "without a scheme"),
    ("ALLOWED_HOSTS", "gateway.example.com:8000", "without a scheme or a port"),
    ("CSRF_TRUSTED_ORIGINS", "gateway.example.com", "origins"),
    ("CSRF_TRUSTED_ORIGINS", "*", "origins"),
    ("CSRF_TRUSTED_ORIGINS", "https://*", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://*.example.com", "origins"),
    ("CORS_ALLOWED_ORIGINS", "http://localhost:*", "origins"),
    ("CORS_ALLOWED_ORIGINS", "null", "* for any"),
    ("COOKIE_PREFIX", "my site", "letters"),
    ("CORS_ALLOWED_ORIGINS", "https://chat.example.com/", "origins"),
    ("PUBLIC_URL", "gateway.example.com", "http:// or https://"),
    ("URL_PREFIX", "ai", "such as /ai"),
    ("URL_PREFIX", "/", "such as /ai"),
    ("URL_PREFIX", "/v1", "such as /ai"),
    ("URL_PREFIX", "/chat/x", "such as /ai"),
    ("URL_PREFIX", "/a b", "such as /ai"),
    ("FORWARDED_ALLOW_IPS", "nginx", "addresses or networks"),
    ("METRICS_ALLOWED_NETWORKS", "prometheus", "networks such as"),
    ("LOG_FORMAT", "xml", "text or json"),
    ("LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR"),
]


def test_each_bad_value_is_one_line_with_the_name_the_value_and_what_it_takes(
    said_by: SaidBy,
) -> None:
    said = said_by([{name: value} for name, value, _ in BAD])
    for (name, value, takes), line in zip(BAD, said, strict=True):
        assert line.startswith(f"{name} is "), (name, line)
        assert value in line and takes in line, line
        assert "\n" not in line


def test_usual_values_are_taken(said_by: SaidBy) -> None:
    good = [
        {"CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef" * 2, "CLOUDFLARE_API_TOKEN": "t" * 40},
        {"CORS_ALLOWED_ORIGINS": "*"},
        {"CORS_ALLOWED_ORIGINS": "https://a.example, app://obsidian.md"},
        {"ALLOWED_HOSTS": "*"},
        {"ALLOWED_HOSTS": ".example.com, gateway, 10.0.0.7, [::1]"},
        {"FORWARDED_ALLOW_IPS": "127.0.0.1, 10.0.0.0/8, ::1"},
        {"FORWARDED_ALLOW_IPS": "*"},
        {"REDIS_URL": "rediss://:pass@redis:6379/0"},
        {"REDIS_URL": "unix:///run/redis.sock?db=1"},
        {"REDIS_URL": "redis://user:p%23%2F%40ss@[::1]"},
        {"HOST": "[::]", "PORT": '"8000"'},
        {"CSRF_TRUSTED_ORIGINS": "https://*.example.com"},
        {"DATABASE_URL": "postgres://gateway:pass@db:5432/gateway"},
        {name: "" for name, _, _ in BAD} | {"DATABASE_URL": "", "REDIS_URL": ""},
        {"UPSTREAM_PROXY": "http://user:pa%40ss@proxy:3128/", "HTTPS_PROXY": "socks5://x"},
        {"UPSTREAM_PROXY": "proxy:3128"},
        {"https_proxy": "http://[::1]:3128", "no_proxy": "localhost,10.0.0.0/8,*"},
        {"HTTPS": "off", "DEBUG": "1", "LOG_LEVEL": "warning", "LOG_FORMAT": "JSON"},
        {"MEMBER_KEY_LIMITS": "rpm=60, daily-usd=0.5,days=90, models=@cf/meta/*;@cf/openai/*"},
        {"MEMBER_KEY_LIMITS": "endpoints=chat;images, networks=10.0.0.0/8;2001:db8::/32"},
        {"URL_PREFIX": "/tools/ai/"},
        {"DEFAULT_IMAGE_SIZE": "512x768", "MAX_IMAGE_COUNT": "4"},
        {
            "ALERT_WEBHOOKS": "https://hooks.example.com/services/T0/B0, http://10.1.2.3:8065/hooks/x"
        },
        {
            "ALERT_EMAILS": "ops@example.com, on-call+ai@mail.example.com",
            "EMAIL_URL": "smtp://relay",
        },
        {"EMAIL_URL": "smtp+tls://user%40example.com:pa%2Fss@mail.example.com:587"},
        {"EMAIL_URL": "smtp+ssl://mail.example.com", "EMAIL_FROM": "gateway@example.com"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4318/",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer abc==, x-tenant=a%2Cb",
            "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=ai,deployment.environment.name=t%C3%BCr",
            "OTEL_PROPAGATORS": "tracecontext,baggage",
        },
    ]
    assert said_by(good) == [""] * len(good)


@pytest.mark.parametrize("name", ["UPSTREAM_PROXY", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://user:very-secret@proxy:1080",
        "https://user:very-secret@proxy:443",
        "http://user:very-secret@proxy:port",
        "http://user:very-secret@proxy:70000",
        "http://user:very-secret@",
        "http://user:very-secret@proxy:3128/path",
        "http://user:very-secret@[proxy",
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    name: str, value: str, said_by: SaidBy
) -> None:
    (said,) = said_by([{name: value}])
    assert said.startswith(f"{name.upper()} is ")
    assert "http://user:password@host:port" in said
    assert "very-secret" not in said


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("REDIS_URL", "redis://:hunter2#x@redis:6379/0", "# is %23"),
        ("REDIS_URL", "redis://:hunter2/x@redis:6379/0", "/ is %2F"),
        ("REDIS_URL", "redis://:hunter2?x@redis:6379/0", "? is %3F"),
        ("REDIS_URL", "redis://:hunter2@one:6379,two:6379/0", "one server"),
        ("REDIS_URL", "redis://:hunter2@redis:99999/0", "one server"),
        ("REDIS_URL", "redis://:hunter2@redis:6379/first", "one server"),
        ("REDIS_URL", "redis+sentinel://:hunter2@redis:26379/main/0", "one server"),
        ("DATABASE_URL", "postgres://gateway:hunter2@db:5432", "a name"),
        ("DATABASE_URL", "sqlite:///", "a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "a file"),
        ("DATABASE_URL", "sqlite://hunter2/gateway.sqlite3", "sqlite:///"),
        ("DATABASE_URL", "sqlite:////data/gateway.sqlite3?mode=ro", "no 'mode'"),
        ("DATABASE_URL", "sqlite:////data/gateway.sqlite3?timeout=hunter2", "seconds"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_password(
    name: str, value: str, takes: str, said_by: SaidBy
) -> None:
    (said,) = said_by([{name: value}])
    assert said.startswith(f"{name} is ") and takes in said
    assert "hunter2" not in said


def test_a_value_in_quotes_as_docker_leaves_them_is_taken_without() -> None:
    show = "from proxysite import settings as s; print(s.PROXY_API_KEY, s.PORT, s.OIDC_NAME)"
    result = run("-c", show, PROXY_API_KEY=f"'{SECRET}'", PORT='"8123"', OIDC_NAME='"one')
    assert result.stdout.split() == [SECRET, "8123", '"one']


def test_a_file_named_without_its_folder_is_the_same_for_commands_of_cron() -> None:
    assert database("sqlite:///data/gateway.sqlite3")["NAME"] == str(ROOT / "data/gateway.sqlite3")


def test_the_folder_of_a_socket_is_taken_as_libpq_writes_it() -> None:
    config = database("postgres://gateway@%2FRun%2Fpostgresql:5433/gateway")
    assert (config["HOST"], config["PORT"]) == ("/Run/postgresql", 5433)


def test_cloudflare_credentials_come_together_or_not_at_all(said_by: SaidBy) -> None:
    only_id, only_token = said_by(
        [{"CLOUDFLARE_ACCOUNT_ID": "a" * 32}, {"CLOUDFLARE_API_TOKEN": "very-secret-token"}]
    )
    assert only_id.startswith("CLOUDFLARE_API_TOKEN is not set")
    assert only_token.startswith("CLOUDFLARE_ACCOUNT_ID is not set")
    assert "very-secret-token" not in only_token


def test_no_message_quotes_credentials_in_a_url(said_by: SaidBy) -> None:
    urls = ["https://me:very-secret@a.example:x", "https://very-secret@a.example"]
    urls += ["ftp://me:very-secret@a.example", "//me:very-secret@a.example"]
    names = ["CLOUDFLARE_API_BASE_URL", "OIDC_ISSUER", "PUBLIC_URL", "CSRF_TRUSTED_ORIGINS"]
    names += ["CORS_ALLOWED_ORIGINS", "UPSTREAM_PROXY", "OTEL_EXPORTER_OTLP_ENDPOINT"]
    for line in said_by([{name: url} for name in names for url in urls]):
        assert "very-secret" not in line


def test_single_sign_on_takes_all_it_needs_or_nothing(said_by: SaidBy) -> None:
    (line,) = said_by([{"OIDC_ISSUER": "https://a.example", "OIDC_CLIENT_SECRET": "very-secret"}])
    assert line.startswith("OIDC_CLIENT_ID is not set but OIDC_ISSUER is")
    assert "very-secret" not in line


@pytest.mark.parametrize(
    "issuer",
    [
        *("https://login.example.com", "https://login.example.com/realms/team/"),
        *("http://127.0.0.1:9000", "http://localhost:9000/realms/team", "http://[::1]:9000"),
    ],
)
def test_an_issuer_speaks_tls_or_is_on_this_machine(issuer: str, said_by: SaidBy) -> None:
    (line,) = said_by(
        [{"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "gateway", "OIDC_CLIENT_SECRET": "x"}]
    )
    assert line == ""


def test_a_postgresql_that_falls_silent_is_given_up_as_soon_as_its_url_says() -> None:
    options = database("postgres://gateway@db/gateway?tcp_user_timeout=60000")["OPTIONS"]
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == (5, 60_000)


def test_no_secret_is_quoted(said_by: SaidBy) -> None:
    account = {"CLOUDFLARE_ACCOUNT_ID": "a" * 32}
    said = said_by(
        [
            {**account, "CLOUDFLARE_API_TOKEN": "Bearer hunter2"},
            {**account, "CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_ACCOUNTS": "a:hunter2"},
            {**account, "CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_ACCOUNTS": "main=b:hunter2"},
            {
                **account,
                "CLOUDFLARE_API_TOKEN": "t",
                "CLOUDFLARE_ACCOUNTS": f"b={'a' * 32}:hunter2",
            },
            {"CLOUDFLARE_ACCOUNTS": "second=b:hunter2"},
            {"SECRET_KEY": "hunter2"},
            {"DATABASE_URL": "mysql://user:hunter2@db/gateway"},
            {"DATABASE_URL": "hunter2"},
            {"DATABASE_URL": "ftp://user:hunter2@db/gateway"},
            {"REDIS_URL": "http://:hunter2@redis"},
            {"REDIS_URL": "hunter2"},
            {"ALERT_WEBHOOKS": "https://good.example.com/hunter2, ftp://hooks.example.com/hunter2"},
            {"ALERT_WEBHOOKS": "hooks.example.com/hunter2"},
            {"EMAIL_URL": "mail.example.com:hunter2"},
            {"EMAIL_URL": "imap://user:hunter2@mail.example.com"},
            {"EMAIL_URL": "smtp://user:hunter2@mail.example.com:none"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:hunter2@collector:4318"},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/?key=hunter2"},
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "collector:hunter2"},
            {"OTEL_EXPORTER_OTLP_HEADERS": "Bearer hunter2"},
            {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2%0d%0ahost:%20x"},
            {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=hünter2 hunter2"},
        ]
    )
    for line in said:
        assert line and "hunter2" not in line, line


def test_a_collector_is_what_all_signals_say_or_one_alone() -> None:
    show = "from proxysite import settings as s; print(s.OTEL_TRACES, s.OTEL_METRICS, sep='\\n')"

    def shown(**more: str) -> list[str]:
        general = {"HEADERS": "authorization=hunter2", "TIMEOUT": "2500", "COMPRESSION": "gzip"}
        settings = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in general.items()}
        return run("-c", show, **settings, **more).stdout.splitlines()

    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
    headers = "{'authorization': …}"
    rest = f"headers={headers}, timeout_s=2.5, compression='gzip', certificate=''"
    both = [f"Collector(url='http://collector:4318/v1/{s}', {rest})" for s in ("traces", "metrics")]
    assert shown(**where) == both
    assert shown() == shown(**where, OTEL_SDK_DISABLED="true") == ["None", "None"]
    assert shown(**where, OTEL_METRICS_EXPORTER="none") == [both[0], "None"]
    own = {"ENDPOINT": "https://traces.example.com/x", "HEADERS": "x-key=hunter2", "TIMEOUT": "100"}
    traces, metrics = shown(**{f"OTEL_EXPORTER_OTLP_TRACES_{n}": v for n, v in own.items()})
    assert "url='https://traces.example.com/x', headers={'x-key': …}, timeout_s=0.1," in traces
    assert metrics == "None"


@pytest.mark.parametrize(
    "secret",
    [
        *("", "short", "changeme" * 8, "django-insecure-" + "x" * 50, "Secret" * 10),
        *("a" * 32, "0123" * 20, "1234567890" * 5, "abcdefghijklmnopqrstuvwxyz" * 2),
        *("password" * 5, "a" * 30 + "bcdefgh"),
    ],
    ids=[
        *("missing", "short", "changeme", "django-insecure", "secret", "uniform", "four digits"),
        *("digits in turn", "the alphabet", "password", "nearly uniform"),
    ],
)
def test_a_missing_short_or_known_secret_key_is_refused(secret: str, said_by: SaidBy) -> None:
    (line,) = said_by([{"SECRET_KEY": secret}])
    assert line.startswith("SECRET_KEY is ")
    assert "32 random characters" in line


@pytest.mark.parametrize(
    "start",
    [
        ("manage.py", "check"),
        ("manage.py", "issue_key"),
        ("-m", "gunicorn", "-c", "gunicorn.conf.py"),
    ],
    ids=["manage.py", "a command of an app", "gunicorn"],
)
def test_a_bad_value_ends_a_start_with_one_line(start: tuple[str, ...]) -> None:
    result = run(*start, PORT="eighty")
    assert result.returncode == 1
    assert result.stderr == "PORT is 'eighty': it takes a whole number from 0 to 65535.\n"


@pytest.mark.parametrize(
    "start",
    [("manage.py", "migrate"), ("-m", "gunicorn", "-c", "gunicorn.conf.py")],
    ids=["manage.py", "gunicorn"],
)
def test_a_folder_that_cannot_be_made_ends_a_start_with_one_line(start: tuple[str, ...]) -> None:
    result = run(*start, VAR_DIR="/proc/gateway")
    assert result.returncode == 1
    assert result.stderr.startswith("VAR_DIR is '/proc/gateway', which uid ")
    assert result.stderr.count("\n") == 1


def test_without_a_secret_key_debugging_has_one_that_nobody_knows(said_by: SaidBy) -> None:
    show = "from proxysite import settings as s; print(s.SECRET_KEY)"
    made = {run("-c", show, SECRET_KEY="", DEBUG="on").stdout.strip() for _ in range(2)}
    assert len(made) == 2
    assert all(len(secret) > 60 for secret in made)
    (line,) = said_by([{"SECRET_KEY": "", "DEBUG": "off"}])
    assert line.startswith("SECRET_KEY is not set")


def test_random_secrets_are_taken(said_by: SaidBy) -> None:
    made = [secrets.token_urlsafe(50), secrets.token_hex(16), secrets.token_hex(32)]
    made += [uuid.uuid4().hex, get_random_secret_key()]
    assert said_by([{"SECRET_KEY": secret} for secret in made]) == [""] * len(made)


def test_a_secret_that_begins_with_a_dollar_is_taken_as_it_stands() -> None:
    show = "from proxysite import settings as s; print(s.SECRET_KEY)"
    result = run("-c", show, SECRET_KEY="$" + SECRET)
    assert result.stdout.strip() == "$" + SECRET


def test_deployment_checks_are_clean_with_production_settings() -> None:
    result = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        ALLOWED_HOSTS="gateway.example.com",
        FORWARDED_ALLOW_IPS="127.0.0.1",
    )
    assert result.returncode == 0, result.stderr
