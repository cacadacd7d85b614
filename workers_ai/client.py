"""The only code that speaks HTTP with Cloudflare: run a model, chat, list the catalog.

In: payloads in Workers AI's own dialect. Out: an `Answer` read whole, an `EventSource` of the
events of each network read together, or a `ByteSource`. Raises workers_ai.errors only.
Retries before the first byte within the policy; never after it. The account's token is in no
error, repr or log.

One client belongs to one event loop (its connections do).
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import orjson

from workers_ai.answer import Answer, Begin, ByteSource, EventSource
from workers_ai.caller import NOBODY, Caller, CallTrace, Turns
from workers_ai.envelope import fails_inside
from workers_ai.errors import (
    AccountFault,
    RateReached,
    RateTaken,
    Refused,
    TimedOut,
    Unreachable,
    UnusableAnswer,
    WorkersAIError,
)
from workers_ai.failures.reader import refusal
from workers_ai.http.codings import ACCEPT_ENCODING
from workers_ai.http.connection import Content, Method, header_lines
from workers_ai.http.decoded import AnyResponse
from workers_ai.http.pool import ConnectionPool
from workers_ai.http.proxy import Proxy
from workers_ai.retry import RetryPolicy
from workers_ai.silence import Silences, Timeouts
from workers_ai.whole_answers import (
    MOST_CATALOG_BYTES,
    MOST_MEDIA_BYTES,
    MOST_REFUSAL_BYTES,
    MOST_TEXT_BYTES,
    WholeAnswers,
)

# models/search answers the whole list at once today; the bound only stops a server that never ends.
MAX_CATALOG_PAGES = 100
MAX_CATALOG_MODELS = 10_000
_CHAT: Final = b"/v1/chat/completions"
_JSON: Final = b"content-type: application/json\r\n"
# How an answer is read as it arrives, when it comes in a form that can be.
Live = TypeVar("Live", EventSource, ByteSource)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose Workers AI is used. The token stays out of every repr."""

    account_id: str
    api_token: str = field(repr=False)
    base_url: str = "https://api.cloudflare.com/client/v4"
    ai_gateway: str = ""
    # Whether AI Gateway keeps prompts and answers, which it does unless it is told not to.
    gateway_logs_payloads: bool = False

    @property
    def ai_url(self) -> str:
        return f"{self.base_url}/accounts/{self.account_id}/ai"

    def scrubbed(self, text: str) -> str:
        """`text` without this account's id and token."""
        for secret in (self.api_token, self.account_id):
            if secret:
                text = text.replace(secret, "[hidden]")
        return text


class Call(NamedTuple):
    """One call, for as many tries as it takes. `path` is below the account's own, `headers` are
    lines.

    `most_bytes` bounds an answer that is read whole; `repeatable` is False where each run costs;
    `what` names in a trace what is no run of a model. `begin` is awaited with a stream before it is
    an answer: what it raises is a failure of the call, as if upstream had refused it.
    """

    method: Method
    path: bytes
    headers: bytes = b""
    content: Content | None = None
    most_bytes: int = MOST_TEXT_BYTES
    repeatable: bool = True
    caller: Caller = NOBODY
    what: str = ""
    begin: Begin | None = None


class WorkersAIClient:
    """Calls of one account. Use one per event loop and close it."""

    def __init__(
        self,
        account: Account,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_connections: int = 4000,
        proxy: Proxy | None = None,
        pool: ConnectionPool | None = None,
    ) -> None:
        """`pool` has the connections of another client of the same host, which closes them."""
        self.account = account
        self._ai_path = httpx.URL(account.ai_url).raw_path
        # Accounts that refused a call for which another was asked, by their names.
        self.refused: dict[str, AccountFault] = {}
        self.timeouts = timeouts or Timeouts()
        self._silences = Silences(self.timeouts)
        self.retry = retry or RetryPolicy()
        self._pool = pool or ConnectionPool(
            httpx.URL(account.base_url),
            max_connections=max_connections,
            connect_s=self.timeouts.connect_s,
            pool_s=self.timeouts.pool_s,
            proxy=proxy,
        )
        host = httpx.URL(account.base_url).netloc
        self._headers = header_lines(
            [
                (b"host", host),
                (b"authorization", f"Bearer {account.api_token}".encode()),
                (b"user-agent", b"workers-ai-gateway"),
                (b"accept", b"*/*"),
                (b"accept-encoding", ACCEPT_ENCODING),
            ]
        )
        self._route = _route_of(account)
        self._whole = WholeAnswers()

    async def aclose(self) -> None:
        await self._pool.aclose()

    def chat(
        self,
        payload: Content,
        *,
        caller: Caller,
        affinity: str = "",
        stream: bool,
        begin: Begin | None = None,
    ) -> Awaitable[Answer | EventSource]:
        """`POST ai/v1/chat/completions`; an EventSource only when upstream really streams.

        `affinity` is an opaque id that keeps a conversation on one instance, for its prompt cache;
        `begin` as in `Call`.
        """
        headers = self._routed(caller) + _JSON
        if affinity:
            headers += b"x-session-affinity: %b\r\n" % affinity.encode()
        call = Call(b"POST", _CHAT, headers, payload, caller=caller, begin=begin)
        return self._send(call, live=EventSource if stream else None)

    async def run(
        self,
        model: str,
        payload: bytes,
        *,
        caller: Caller,
        content_type: str = "application/json",
        params: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """`POST ai/run/{model}` with a body of the given type; the answer is JSON or raw bytes.

        Multipart is not sent through AI Gateway, which answers it with 500/7000.
        """
        headers = b"" if content_type.startswith("multipart/") else self._routed(caller)
        headers += _of_type(content_type)
        path = self._run_path(model, params)
        call = Call(b"POST", path, headers, payload, MOST_MEDIA_BYTES, repeatable, caller=caller)
        answer = await self._send(call)
        assert isinstance(answer, Answer)
        return answer

    async def run_for_bytes(
        self, model: str, payload: bytes, *, caller: Caller
    ) -> Answer | ByteSource:
        """`POST ai/run/{model}` with JSON; raw bytes come as they are made, JSON is read whole."""
        headers = self._routed(caller) + _JSON
        path = self._run_path(model)
        call = Call(b"POST", path, headers, payload, MOST_MEDIA_BYTES, caller=caller)
        return await self._send(call, live=ByteSource)

    async def to_markdown(self, form: bytes, *, content_type: str, caller: Caller) -> Answer:
        """`POST ai/tomarkdown` with a form of files; never through AI Gateway, as with `run`."""
        headers = _of_type(content_type)
        call = Call(b"POST", b"/tomarkdown", headers, form, caller=caller, what="tomarkdown")
        answer = await self._send(call)
        assert isinstance(answer, Answer)
        return answer

    async def list_models(self) -> list[dict[str, Any]]:
        """Every entry of models/search, once by name, in upstream's order.

        Upstream ignores per_page and today sends all at once, so pages are asked for until one
        brings nothing new.
        """
        models: dict[str, dict[str, Any]] = {}
        for page in range(1, MAX_CATALOG_PAGES + 1):
            entries = await self._get("/models/search", {"page": page, "per_page": 1000})
            if not isinstance(entries, list):
                raise UnusableAnswer("models/search did not answer with a list")
            known = len(models)
            for entry in entries:
                name = entry.get("name") if isinstance(entry, dict) else None
                if isinstance(name, str) and name:
                    models.setdefault(name, entry)
            if len(models) == known:
                break
            if len(models) > MAX_CATALOG_MODELS:
                raise UnusableAnswer(f"models/search lists more than {MAX_CATALOG_MODELS} models")
        return list(models.values())

    async def model_schema(self, name: str) -> dict[str, Any]:
        """`{"input", "output"}` of models/schema; empty where upstream has none."""
        schema = await self._get("/models/schema", {"model": name})
        if schema is None:
            return {}
        if not isinstance(schema, dict):
            raise UnusableAnswer(f"models/schema of {name} did not answer with an object")
        return schema

    async def _get(self, path: str, params: Mapping[str, Any]) -> Any:
        call = Call(b"GET", self._path(path, params), most_bytes=MOST_CATALOG_BYTES)
        answer = await self._send(call)
        assert isinstance(answer, Answer)
        return answer.json()

    def _routed(self, caller: Caller) -> bytes:
        """Headers that lead through AI Gateway, where there is one."""
        return self._route + header_lines(caller.gateway_headers) if self._route else b""

    def _run_path(self, model: str, params: Mapping[str, Any] | None = None) -> bytes:
        # `@` and `/` of a model's name stay as they are; upstream has no route for %2F.
        return self._path("/run/" + quote(model, safe="@/"), params)

    def _path(self, path: str, params: Mapping[str, Any] | None = None) -> bytes:
        whole = httpx.URL(self.account.ai_url + path, params=params or None).raw_path
        return whole[len(self._ai_path) :]

    async def _send(self, call: Call, *, live: type[Live] | None = None) -> Answer | Live:
        started = time.monotonic()
        attempt = 1
        turns, accounts, trace = call.caller.turns, call.caller.accounts, call.caller.trace
        while True:
            if turns is not None and not turns.may_go():
                await _turn(turns, attempt)
            try:
                if trace is not None:
                    traced = trace.call(call.what, attempt)
                    if traced is not None:
                        return await self._send_traced(call, traced, live=live, attempt=attempt)
                return await self._send_once(call, live=live, attempt=attempt)
            except WorkersAIError as error:
                error.attempts = attempt
                if turns is not None and isinstance(error, RateReached):
                    waits = turns.refused(error)
                    if accounts is not None and accounts.moves_on:
                        raise
                    if waits and attempt <= self.retry.retries:
                        attempt += 1
                        continue
                delay_s = self.retry.delay_s(
                    error,
                    attempt=attempt,
                    elapsed_s=time.monotonic() - started,
                    repeatable=call.repeatable,
                    waits=call.caller.waits,
                )
                if delay_s is None:
                    raise
            await asyncio.sleep(delay_s)
            attempt += 1

    async def _send_traced(
        self, call: Call, traced: CallTrace, *, live: type[Live] | None, attempt: int
    ) -> Answer | Live:
        """The same, told to `traced`: a stream's call ends with the stream."""
        call = call._replace(headers=call.headers + header_lines(traced.headers))
        try:
            answer = await self._send_once(call, live=live, attempt=attempt)
        except BaseException as error:
            traced.end(error)
            raise
        if isinstance(answer, Answer):
            traced.answered(answer.status, from_cache=answer.from_cache)
            traced.end()
        else:
            traced.answered(200, from_cache=answer.from_cache)
            answer.trace = traced
        return answer

    async def _send_once(
        self, call: Call, *, live: type[Live] | None, attempt: int
    ) -> Answer | Live:
        silence = self._silences.begin()
        target, headers = self._ai_path + call.path, self._headers + call.headers
        asked = self._pool.request(
            call.method, target, headers, call.content, caller=call.caller.id
        )
        try:
            response = await silence.wait_for(asked)
            if live is not None and response.status == 200 and live.fits(response.headers):
                answer = live(response, silence, attempts=attempt)
                if call.begin is not None:
                    await call.begin(answer)
                return answer
            body = await self._whole.read(response, silence, most_bytes=call.most_bytes)
        except httpx.HTTPError as error:
            silence.close()
            raise self._without_answer(error) from None
        except BaseException:
            silence.close()
            raise
        silence.close()
        # A failure is short; `Answer.json` finds one in a large answer all the same.
        is_short = len(body) <= MOST_REFUSAL_BYTES
        if not 200 <= response.status < 300 or (is_short and fails_inside(body)):
            raise self._refused(response, body)
        return Answer(response.status, response.headers, body, attempt)

    def _without_answer(self, error: httpx.HTTPError) -> WorkersAIError:
        """What it means that a call failed before the answer's first byte."""
        if isinstance(error, httpx.PoolTimeout):
            return TimedOut("pool", self.timeouts.pool_s, str(error))
        if isinstance(error, httpx.ConnectTimeout):
            return TimedOut("connect", self.timeouts.connect_s, str(error))
        if isinstance(error, httpx.ConnectError | httpx.ProxyError):
            return Unreachable(f"no connection to Workers AI: {error}", sent=False)
        if isinstance(error, httpx.DecodingError):
            return UnusableAnswer(f"Workers AI's answer cannot be decoded: {error}")
        return Unreachable(
            f"Workers AI broke the connection off without an answer: {error}", sent=True
        )

    def _refused(self, response: AnyResponse, content: bytes) -> Refused:
        try:
            body = orjson.loads(content[:MOST_REFUSAL_BYTES])
        except orjson.JSONDecodeError:
            body = content[:MOST_REFUSAL_BYTES].decode(
                "utf-8", "replace"
            )  # a proxy's page, or nothing
        error = refusal(
            body,
            status=response.status,
            headers=response.headers,
            upstream_id=response.headers.get("cf-ai-req-id", ""),
        )
        error.message = self.account.scrubbed(error.message)
        error.args = (error.message,)  # a repr shows these
        return error


async def _turn(turns: Turns, attempt: int) -> None:
    try:
        await turns.take()
    except RateTaken as error:
        error.attempts = attempt - 1
        raise


def _of_type(content_type: str) -> bytes:
    return header_lines([(b"content-type", content_type.encode())])


def _route_of(account: Account) -> bytes:
    if not account.ai_gateway:
        return b""
    route = [(b"cf-aig-gateway-id", account.ai_gateway.encode())]
    if not account.gateway_logs_payloads:
        route.append((b"cf-aig-collect-log-payload", b"false"))
    return header_lines(route)
