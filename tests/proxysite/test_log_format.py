"""Log lines: one each, and nothing in them that opens anything."""

import logging

import orjson
import pytest

from proxysite.log_format import JsonFormatter, TextFormatter
from proxysite.request_id import request_id_for


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway", logging.INFO, "", 0, message, (), None)
    made.fields = fields
    return made


@pytest.mark.parametrize(
    "secret",
    [
        "sk-wai-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "sk-wai-service-AbCdEfGhIjKlMnOp",
        "play-wai-7.3.1795725126.AbCdEfGhIjKl.AbCdEfGhIjKl-_",
        "Bearer abcdefgh12345678",
        "bearer   abc.def-ghi_jkl",
        "cfut_abcdefgh12345678",
        "cfat_abcdefgh12345678",
    ],
)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_secret_is_hidden(formatter: logging.Formatter, secret: str) -> None:
    line = formatter.format(record(f"refused {secret} here", path=f"/v1/{secret}"))
    assert secret.split()[-1] not in line
    assert "[hidden]" in line


def test_the_settings_secrets_are_hidden(settings: object) -> None:
    settings.CLOUDFLARE_API_TOKENS = ["the-token"]  # type: ignore[attr-defined]
    settings.PROXY_API_KEY = "the-shared-key"  # type: ignore[attr-defined]
    settings.OIDC_CLIENT_SECRET = "the-client's"  # type: ignore[attr-defined]
    settings.SECRET_KEY = "the-site's-own"  # type: ignore[attr-defined]
    said = "the-token and the-shared-key and the-client's and the-site's-own"
    line = TextFormatter().format(record(said))
    assert line.endswith(": " + " and ".join(["[hidden]"] * 4))


def test_a_request_cannot_forge_a_line() -> None:
    line = TextFormatter().format(record("GET /a\nINFO forged", path="x", note="b\r\nINFO forged"))
    assert "\n" not in line
    assert "\r" not in line


def test_a_json_line_is_json() -> None:
    line = JsonFormatter().format(record('say "hi"\n', status=200))
    assert orjson.loads(line)["status"] == 200
    assert "\n" not in line


@pytest.mark.parametrize("offered", [b"abc", b"req_1", b"a.b:c/d+e=f@g-h", b"x" * 128])
def test_a_sane_id_is_kept(offered: bytes) -> None:
    assert request_id_for(offered) == offered.decode()


@pytest.mark.parametrize("offered", [None, b"", b"a b", b"a\nb", b"\xff", b"x" * 129, b'"'])
def test_any_other_id_is_replaced(offered: bytes | None) -> None:
    made = request_id_for(offered)
    assert made.startswith("req_")
    assert made != request_id_for(offered)


def test_new_ids_sort_by_when_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    moments_ms = [0, 15, 16, 255, 256, 1_795_000_000_000]
    made = []
    for moment_ms in moments_ms:
        monkeypatch.setattr("time.time_ns", lambda ns=moment_ms * 1_000_000: ns)
        made.append(request_id_for(None))
    assert made == sorted(made)
    assert len({len(id) for id in made}) == 1
