"""CORS for browser apps: which pages may call `/v1`, by the settings alone.

Preflights are answered without a key. The headers that a page asks for are echoed, because the
SDKs' list of `x-stainless-*` headers grows with every release. Credentials are never allowed: keys
travel in headers.
"""

from collections.abc import Collection

EXPOSED = ", ".join(
    (
        "x-request-id",
        "openai-processing-ms",
        "retry-after",
        "x-should-retry",
        "x-gateway-ignored",
        "x-gateway-model",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    )
).encode()

Headers = list[tuple[bytes, bytes]]


def cors_headers(origin: bytes | None, allowed: Collection[str]) -> Headers:
    """Headers for an answer to a page from `origin`; none for an origin that is not allowed."""
    if not allowed:
        return []
    if "*" in allowed:
        return [
            (b"access-control-allow-origin", b"*"),
            (b"access-control-expose-headers", EXPOSED),
        ]
    # The answer depends on the origin even where this one is not allowed: caches must know.
    headers = [(b"vary", b"Origin")]
    if origin is not None and origin.decode("latin-1") in allowed:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
        ]
    return headers


def preflight_headers(
    origin: bytes, asked_headers: bytes | None, allowed: Collection[str]
) -> Headers:
    """Headers for the answer to a preflight: the origin's, plus what it may send."""
    headers = cors_headers(origin, allowed)
    if not any(name == b"access-control-allow-origin" for name, _ in headers):
        return headers
    headers += [
        (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
        (b"access-control-max-age", b"86400"),
    ]
    if asked_headers:
        headers.append((b"access-control-allow-headers", asked_headers))
    return headers
