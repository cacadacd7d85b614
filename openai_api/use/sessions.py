"""Which run of an agent, or which conversation, a request belongs to, as its client says.

Comes in: the headers and the body of a request, both of which may say anything. Goes out: texts
that fit the log, empty where nothing is said. What looks like a secret goes in as a digest.

The first of these that is there names the session:

1. `x-session-id`, or `x-parent-session-id` where a sub-agent of opencode has a session of its own
2. `x-claude-code-session-id` (Claude Code), `session-id` or `session_id` (Codex, pi),
   `x-session-affinity`, `x-openwebui-chat-id`, `x-litellm-session-id`
3. `metadata.session_id` and `session_id` in the body
4. `metadata.user_id`, or `user`, in the form that Claude Code gives it
5. `prompt_cache_key`, which many clients make from their session

Within a session the agent is `x-claude-code-agent-id`; or the session of its own that opencode's
sub-agents have; or Codex's `thread-id` where it differs from the session, else what Codex calls its
task in `x-openai-subagent`.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

LONGEST_SESSION: Final = 128
LONGEST_AGENT: Final = 64
_STATED: Final = b"x-session-id"
_PARENT: Final = b"x-parent-session-id"
SESSION_HEADERS: Final = (
    *(b"x-claude-code-session-id", b"session-id", b"session_id", b"x-session-affinity"),
    *(b"x-openwebui-chat-id", b"x-litellm-session-id"),
)
# `user_<hash>_account_<uuid>_session_<uuid>`: Claude Code before it sent JSON.
_SESSION_IN_USER: Final = re.compile(r"_session_([0-9A-Za-z-]{1,128})\Z")
_LONGEST_USER: Final = 1024
# Nearly every session is a UUID, and that cannot be a key of anybody's.
_NUMBER: Final = re.compile(r"[0-9a-fA-F-]{1,36}\Z")
# Keys of this gateway and of others, what is said after `Bearer`, and JSON web tokens.
_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|play|gh[opsu]|xox[a-z])[-_]\w|\bcf[uak]t?_\w|\beyJ[\w-]{8}|^(?i:basic|bearer)\s"
)


class Session(NamedTuple):
    id: str = ""
    agent: str = ""


NO_SESSION: Final = Session()


def named_by_headers(headers: Mapping[bytes, bytes]) -> Session:
    """`headers` have names in lower case."""
    own = headers.get(_STATED)
    parent = headers.get(_PARENT)
    if own or parent:
        agent = own if parent and own else None
        return Session(_kept(parent or own), _agent(headers) or _kept(agent, LONGEST_AGENT))
    for name in SESSION_HEADERS:
        if value := headers.get(name):
            return Session(session := _kept(value), _agent(headers, beside=session))
    return NO_SESSION


def named_by_body(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        named = metadata.get("session_id") or _session_of_user(metadata.get("user_id"))
        if named:
            return _kept(named)
    named, user = body.get("session_id"), body.get("user")
    if not named and user:
        named = _session_of_user(user)
    named = named or body.get("prompt_cache_key")
    return _kept(named) if named else ""


def _agent(headers: Mapping[bytes, bytes], beside: str = "") -> str:
    if value := headers.get(b"x-claude-code-agent-id"):
        return _kept(value, LONGEST_AGENT)
    thread = _kept(headers.get(b"thread-id"), LONGEST_AGENT)
    if thread and beside and not beside.startswith(thread):
        return thread
    return _kept(headers.get(b"x-openai-subagent"), LONGEST_AGENT)


def person_of(user: str) -> str:
    """`user` without the session that Claude Code puts into it: limits of users hold for a person
    over all sessions."""
    named = _claude_user(user)
    if named:
        for name in ("account_uuid", "device_id"):
            if isinstance(named.get(name), str) and named[name]:
                return str(named[name])
        return user
    if len(user) > _LONGEST_USER or "_session_" not in user:
        return user
    found = _SESSION_IN_USER.search(user)
    return user if found is None else user[: found.start()].removesuffix("_account_")


def _session_of_user(user: Any) -> str:
    if not isinstance(user, str) or len(user) > _LONGEST_USER:
        return ""
    named = _claude_user(user)
    if named:
        session = named.get("session_id")
        return session if isinstance(session, str) else ""
    found = _SESSION_IN_USER.search(user) if "_session_" in user else None
    return "" if found is None else found[1]


def _claude_user(user: str) -> dict[str, Any]:
    """The fields of a `user` that is JSON; empty where it is none."""
    if not user.startswith("{") or len(user) > _LONGEST_USER:
        return {}
    try:
        named = orjson.loads(user)
    except orjson.JSONDecodeError:
        return {}
    return named if isinstance(named, dict) and "session_id" in named else {}


def _kept(value: Any, longest: int = LONGEST_SESSION) -> str:
    """`value` as the log keeps it: what is too long ends in a digest, so that it stays apart."""
    if isinstance(value, bytes):
        value = value[: 8 * longest].decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if _NUMBER.match(text):
        return text
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "?" for letter in text[: 8 * longest])
    if _SECRET.search(text, 0, 8 * longest):
        return f"hidden-{_digest(text)}"
    return text if len(text) <= longest else f"{text[: longest - 17]}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
