"""The smallest gateway that Python allows: ASGI and aiohttp, bytes in, bytes out.

It checks no key and no limit, keeps no record and parses nothing: the lower bound of a gateway's
cost. Run it as the gateway is run: uvicorn on uvloop and httptools, one process. What it needs is
in `peers/forwarder.txt`, which `make bench` installs into a folder of its own.
"""

import argparse
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import uvicorn
from yarl import URL

Message = MutableMapping[str, Any]
ROUTES = ("/chat/completions", "/images/generations")


class Forwarder:
    def __init__(self, base_url: str, token: str) -> None:
        self._urls = {"/v1" + route: URL(base_url + route) for route in ROUTES}
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        url = self._urls[scope["path"]]
        body = b"".join(parts)
        async with self._session.post(url, data=body, headers=self._headers) as answer:
            headers = [
                (name.lower(), value)
                for name, value in answer.raw_headers
                if name.lower() in (b"content-type", b"content-length")
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            if answer.content_length is not None:
                await send({"type": "http.response.body", "body": await answer.read()})
                return
            async for block in answer.content.iter_any():
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.forwarder", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="base URL, OpenAI's paths below it")
    arguments = parser.parse_args()
    uvicorn.run(
        Forwarder(arguments.upstream, os.environ.get("FORWARDER_UPSTREAM_TOKEN", "")),
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
