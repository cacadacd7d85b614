"""`/healthz` (the process answers) and `/readyz` (it can serve: database, catalog, ledger)."""

import asyncio
from typing import Final

import orjson
from django.conf import settings
from django.db import connection
from django.db.utils import Error

from catalog import accounts, snapshot
from keys.ledger.writer import ledger
from keys.limits.process_counters import process_counters
from proxysite import stopping
from storage import migrated
from storage.words import public_words

Answer = tuple[int, bytes]

DATABASE_ANSWERS_WITHIN_S: Final = 2.0


async def healthz() -> Answer:
    return 200, b'{"status":"ok"}'


async def readyz() -> Answer:
    """200 when requests can be served, else 503; the body says which part is not ready and why.

    When Redis cannot be reached and each process counts limits by itself, or one of several
    accounts is not asked, the body says so, and the status is still 200.
    """
    problems = {
        "database": await _database_problem(),
        "catalog": _catalog_problem(),
        "ledger": ledger.health().problem,
    }
    if stopping.has_begun():
        problems["stopping"] = "this worker takes requests for a little longer and then ends"
    ready = not any(problems.values())
    problems["limits"] = await process_counters.look()
    if settings.CLOUDFLARE_ACCOUNTS:
        problems["accounts"] = _accounts_at_rest()
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    return (200 if ready else 503), orjson.dumps(body)


def _accounts_at_rest() -> str:
    return "; ".join(
        f"{rest.account}: {rest.why}; asked again in {rest.left_s:.0f} s"
        for rest in accounts.rests()
    )


def _catalog_problem() -> str:
    catalog = snapshot.current()
    if not catalog.is_read:
        return "not read yet"
    return "empty: run manage.py refresh_catalog" if catalog.is_empty else ""


# The check of the database that is running, or the last one.
_look: "asyncio.Future[str] | None" = None


async def _database_problem() -> str:
    """One check at a time, whose result all callers meanwhile share: a database that accepts
    connections and does not answer must not delay probes, nor pile up threads."""
    global _look
    loop = asyncio.get_running_loop()
    if _look is None or _look.done() or _look.get_loop() is not loop:
        _look = loop.run_in_executor(None, _ask_database)
    answered, _ = await asyncio.wait({_look}, timeout=DATABASE_ANSWERS_WITHIN_S)
    if not answered:
        return f"does not answer within {DATABASE_ANSWERS_WITHIN_S:g} s"
    return _look.result()


def _ask_database() -> str:
    try:
        return migrated.problem()
    except Error as error:
        return f"does not answer ({public_words(error)})"
    finally:
        connection.close()
