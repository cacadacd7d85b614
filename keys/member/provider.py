"""HTTP requests to the provider of single sign-on: bounded, over TLS, and as few as possible.

allauth sends its requests through the session that the adapter returns, a new one for each page.
The provider's configuration is shared: one page fetches it, and the others use it for some minutes.
"""

import io
import ssl
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

# Bounds of one answer, from resolving the provider's name to its last byte. Resolving has no end
# of its own, and a head may trickle: so a thread asks, and the page waits this long.
ANSWER_S: Final = 5.0
# At a time. Requests that a page has given up count until they end.
MOST_ASKING: Final = 6
MOST_BYTES: Final = 1024 * 1024
CONFIGURATION_KEPT_S: Final = 600.0
# After a failure no page asks again for so long: they would all wait for the same failure.
FAILURE_KEPT_S: Final = 5.0

_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
_CONFIGURATION_PATH: Final = "/.well-known/openid-configuration"


class UnusableProvider(requests.RequestException):
    """A request or an answer of the provider that is not acceptable. The text is for the log."""


class ProviderSession(requests.Session):
    """For one page. Raises `requests.RequestException` for every failure."""

    def __init__(self, provider: "Provider") -> None:
        super().__init__()
        self._provider = provider
        # Python reads SSL_CERT_FILE here; `requests` ignores it.
        paths = ssl.get_default_verify_paths()
        if paths.cafile is not None and paths.cafile != paths.openssl_cafile:
            self.verify = paths.cafile

    def request(  # type: ignore[override]
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        if method == "GET" and url == self._provider.issuer + _CONFIGURATION_PATH:
            return _response_of(self._provider.configuration(self))
        return self.ask(method, url, **options)

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        if not is_protected(url):
            raise UnusableProvider(f"{_shown(url)} is not https")
        asking = _asking  # the same to the end of the question
        if not asking.acquire(blocking=False):
            raise UnusableProvider(f"{MOST_ASKING} requests wait for the provider already")
        outcome: Future[requests.Response] = Future()

        def answer() -> None:
            try:
                outcome.set_result(self._answer(method, url, **options))
            except Exception as error:
                outcome.set_exception(error)
            finally:
                asking.release()

        threading.Thread(target=answer, name="provider", daemon=True).start()
        try:
            return outcome.result(ANSWER_S)
        except FutureTimeout:
            raise UnusableProvider(f"no whole answer came within {ANSWER_S:g} s") from None

    def _answer(self, method: str, url: str, **options: Any) -> requests.Response:
        deadline = time.monotonic() + ANSWER_S
        options |= {"timeout": ANSWER_S, "stream": True, "allow_redirects": False}
        with super().request(method, url, **options) as response:
            if response.is_redirect:
                raise UnusableProvider(f"{_shown(url)} leads elsewhere")
            body = _read(response, deadline)
        response.raw = io.BytesIO(body)
        return response


_asking = threading.BoundedSemaphore(MOST_ASKING)


class Provider:
    """One issuer. `configuration` is thread-safe."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._lock = threading.Lock()
        self._kept = b""
        self._failure = ""
        self._good_until = 0.0

    def configuration(self, session: ProviderSession) -> bytes:
        """The body of the issuer's configuration, checked. Concurrent callers wait for the one that
        fetches it."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._fetch(session)
            if self._failure:
                raise UnusableProvider(self._failure)
            return self._kept

    def _fetch(self, session: ProviderSession) -> None:
        try:
            response = session.ask("GET", self.issuer + _CONFIGURATION_PATH)
            response.raise_for_status()
            self._check(response.json())
            self._kept, self._failure = response.content, ""
            self._good_until = time.monotonic() + CONFIGURATION_KEPT_S
        except requests.RequestException as error:
            self._failure = str(error) or type(error).__name__
            self._good_until = time.monotonic() + FAILURE_KEPT_S

    def _check(self, configuration: Any) -> None:
        if not isinstance(configuration, dict):
            raise UnusableProvider("the configuration is not a JSON object")
        # https://openid.net/specs/openid-connect-discovery-1_0.html, section 4.3: the
        # configuration must have the issuer's own name, to which identities belong.
        name = configuration.get("issuer")
        if not isinstance(name, str) or name.rstrip("/") != self.issuer:
            raise UnusableProvider(
                f"OIDC_ISSUER is {self.issuer!r}, and the provider there calls itself "
                f"{str(name)[:200]!r}: they must be the same"
            )
        for endpoint in _ENDPOINTS:
            url = configuration.get(endpoint, self.issuer)
            if not isinstance(url, str) or not is_protected(url):
                raise UnusableProvider(f"the provider's {endpoint} is not https")


def is_protected(url: str) -> bool:
    """Whether the URL is over TLS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return parts.scheme == "https"
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _read(response: requests.Response, deadline: float) -> bytes:
    """Reads the answer piece by piece until the deadline: a read of the whole answer has no time
    limit as long as some bytes arrive now and then."""
    body = bytearray()
    try:
        while chunk := response.raw.read1(65_536, decode_content=True):
            body += chunk
            if len(body) > MOST_BYTES:
                raise UnusableProvider(f"more than {MOST_BYTES:,} bytes came")
            if time.monotonic() > deadline:
                raise UnusableProvider(f"no whole answer came within {ANSWER_S:g} s")
    except HTTPError as error:
        raise requests.ConnectionError(error) from error
    return bytes(body)


def _response_of(body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = "application/json"
    response.raw = io.BytesIO(body)
    return response


def _shown(url: str) -> str:
    """The URL without the parts that may contain a code or a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]
