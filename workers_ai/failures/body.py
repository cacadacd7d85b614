"""A failure body, in whatever shape it comes, as code, words and status. Pure.

Shapes that were seen, at any nesting, and as JSON inside the text of another:

- Cloudflare's v4 envelope: `{"errors": [{"code", "message"}], "success": false}`, where `errors`
  may also be one object or a text;
- `{"error": …}` with an object (OpenAI's and Anthropic's), a text, or a list (AI Gateway's own
  failures, `{"error": [{"code", "message"}], "name": "AiGatewayError", …}`);
- AI Gateway's flat form: `{"name": "AiError", "internalCode", "httpCode", "message"}`;
- the inference server's bare form: `{"object": "error", "message", "type", "code"}`;
- a validator's `{"detail": …}`, with a text or a list of `{"loc", "msg"}`;
- plain text, and the pages of proxies in between.

Source: captures of Workers AI and AI Gateway that their users published, read up to November 2026.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

# Failures nest: an envelope around AI Gateway's form around the inference server's, as text. That
# is the deepest that was seen, and each takes up to four steps: text, object, list, object.
DEEPEST: Final = 16
LONGEST_TEXT: Final = 16_384
# A list of errors, and of a validator's complaints, is told up to here.
MOST_COMPLAINTS: Final = 5
# Codes below are HTTP statuses: the inference servers put those where Cloudflare puts its codes.
LOWEST_CODE: Final = 1000

# Where words stand, the most telling first.
_WORDS: Final = ("message", "error_description", "description", "detail", "msg", "reason", "title")
_INSIDE: Final = ("errors", "error", "detail", "result", "cause", "body", "response", "messages")
_CODES: Final = ("code", "internalCode", "error_code", "errorCode")
_STATUSES: Final = ("httpCode", "status", "statusCode", "status_code")

_CODE_IN_TEXT = re.compile(r"\b(\d{4,5})\s*:")
_PREFIX = re.compile(r"^(?:(?:AiError|AiGatewayError|InferenceUpstreamError):\s*|\d{4,5}:\s*)+")
_REQUEST_ID = re.compile(r"\s*\([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\)\s*$", re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:<!doctype\b|<html\b|<\?xml\b|<head\b|<body\b)", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is Cloudflare's, `status` an HTTP status that the body itself names, `kind` the word
    that inference servers and OpenAI call `type`. `text` has no decorations left."""

    code: int | None = None
    text: str = ""
    status: int | None = None
    kind: str = ""


NOTHING: Final = Failure()


def read(body: object, known_codes: Mapping[int, object]) -> Failure:
    """What a failure body says; `known_codes` tells codes in a text (`3040: Capacity …`) from
    other numbers. A body that is a text may hold JSON, or be a page of HTML.
    """
    found = _read(body, DEEPEST)
    if found.code is None:
        for number in _CODE_IN_TEXT.findall(found.text[:200]):
            if int(number) in known_codes:
                found = replace(found, code=int(number))
                break
    return replace(found, text=readable(found.text))


def readable(message: str) -> str:
    """Upstream's text without `AiError: ` prefixes and the trailing request id."""
    return _REQUEST_ID.sub("", _PREFIX.sub("", message.strip())).strip()


def _read(body: object, depth: int) -> Failure:
    if depth == 0:
        return NOTHING
    if isinstance(body, str):
        return _in_text(body, depth)
    if isinstance(body, list):
        return _in_list(body, depth)
    return _in_object(body, depth) if isinstance(body, dict) else NOTHING


def _in_object(body: dict[str, Any], depth: int) -> Failure:
    """Its own words and code, completed by what it holds: the innermost words count, as those are
    the model's own, and the outermost code, which is Cloudflare's.
    """
    own = Failure(
        code=_first(body, _CODES, LOWEST_CODE, 100_000),
        status=_first(body, (*_STATUSES, *_CODES), 400, 600),
        kind=_text(body.get("type")) or _text(body.get("code")) or _text(body.get("name")),
    )
    for name in _WORDS:
        words = body.get(name)
        if isinstance(words, str) and words.strip():
            said = _in_text(words, depth - 1)
            return _completed(own, said)
    for name in _INSIDE:
        inside = _read(body.get(name), depth - 1)
        if inside != NOTHING:
            return _completed(own, inside)
    return own


def _completed(own: Failure, inside: Failure) -> Failure:
    return Failure(
        code=own.code if own.code is not None else inside.code,
        text=inside.text,
        status=inside.status if own.status is None else own.status,
        kind=inside.kind or own.kind,
    )


def _in_list(entries: list[Any], depth: int) -> Failure:
    """The first that says something; a validator's complaints are told together."""
    told = [_complaint(entry) for entry in entries[:MOST_COMPLAINTS]]
    if told and all(told):
        return Failure(text="; ".join(told)[:LONGEST_TEXT])
    silent = NOTHING
    for entry in entries[:MOST_COMPLAINTS]:
        found = _read(entry, depth - 1)
        if found.text:
            return found if found.code is not None else replace(found, code=silent.code)
        silent = silent if silent != NOTHING else found
    return silent


def _complaint(entry: Any) -> str:
    """`{"loc": ["body", "messages"], "msg": "Field required"}` as one sentence."""
    if not isinstance(entry, dict) or not isinstance(entry.get("msg"), str):
        return ""
    where = entry.get("loc")
    path = ".".join(str(step)[:60] for step in where[:8]) if isinstance(where, list) else ""
    return f"{path}: {entry['msg']}" if path else str(entry["msg"])


def _in_text(text: str, depth: int) -> Failure:
    """Words, or the failure that they hold as JSON."""
    text = text.strip()[:LONGEST_TEXT]
    if _PAGE.match(text):
        title = _TITLE.search(text)
        return Failure(text=title[1].strip() if title else "")
    inner = _json_in(text)
    if inner is not None:
        found = _read(inner, depth - 1)
        if found.text:
            return found
    return Failure(text=text)


def _json_in(text: str) -> Any:
    """A failure that the text holds as JSON, alone or behind a prefix; None for any other text,
    also for one that quotes the JSON of a request.
    """
    begin = text.find("{")
    listed = text.find("[")
    if 0 <= listed < begin:
        begin = listed
    if begin < 0:
        return None
    try:
        inner, _ = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    first = inner[0] if isinstance(inner, list) and inner else inner
    return inner if isinstance(first, dict) and _is_failure(first) else None


def _is_failure(body: dict[str, Any]) -> bool:
    if "error" in body or "errors" in body or body.get("object") == "error":
        return True
    if isinstance(body.get("detail"), str | list) or "msg" in body:
        return True
    named = ("type", "code", "internalCode", "httpCode", "status", "name", "param")
    return isinstance(body.get("message"), str) and any(name in body for name in named)


def _first(body: Mapping[str, Any], names: tuple[str, ...], low: int, high: int) -> int | None:
    """The first number, or text of one, that lies in `low` to below `high`."""
    for name in names:
        number = body.get(name)
        if isinstance(number, str) and number.isdecimal() and len(number) < 10:
            number = int(number)
        if isinstance(number, int) and not isinstance(number, bool) and low <= number < high:
            return number
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) and not value.isdecimal() else ""
