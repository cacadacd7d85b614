"""What is wrong with Redis, in one line: what it said, and what mends it. Pure."""

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from redis.exceptions import AuthenticationError, ResponseError

# Characters of what Redis says.
_LONGEST_WORDS: Final = 120
# What its words have in them, and the cure.
_CURES: Final = (
    (
        ("same slot", "Hash slot", "CLUSTERDOWN", "MOVED", "cluster mode"),
        "it is a Redis Cluster: set REDIS_URL to a single server, with replicas as you like",
    ),
    (
        ("invalid username", "uthentication required", "already authenticated"),
        "set REDIS_URL with its password: redis://user:password@host:6379/0",
    ),
    (
        ("no permissions", "can't run this command"),
        "its account needs the commands @scripting, @connection, @hash, @sortedset, @keyspace and "
        "time, and the keys wai:*",
    ),
    (("maxmemory",), "raise its maxmemory; limits take some kilobytes for each key in use"),
    (("read only replica",), "set REDIS_URL to the address of the master"),
    (("DB index",), "the number at the end of REDIS_URL is no database of it"),
    (("unknown command",), "the gateway's limits need that command"),
)


def why(error: BaseException) -> str:
    """Of what failed before Redis could answer nothing but the system's own words: the rest of the
    text may contain the URL, and so a password."""
    for each in _causes(error):
        if isinstance(each, ResponseError | AuthenticationError):
            return f"refuses: {_refusal(each)}"
    for each in _causes(error):
        if isinstance(each, OSError) and (said := _system_words(each)):
            return f"does not answer ({said})"
    if isinstance(error, TypeError):
        return "is not asked: REDIS_URL has something after its ? that redis-py does not know"
    return f"does not answer ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refusal(error: Exception) -> str:
    # An unknown command is answered with the arguments that came with it.
    lines = str(error).partition(", with args")[0].splitlines()[:1]
    # A script's number and line say nothing to whoever runs the server.
    words = "".join(lines).partition(" script: ")[0][:_LONGEST_WORDS].rstrip(" .")
    cure = next((cure for found, cure in _CURES if any(each in words for each in found)), "")
    return f"{words} ({cure})" if cure else words


def _system_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}" if error.reason else ""
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else ""
