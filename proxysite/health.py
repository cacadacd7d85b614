"""`/healthz` (the process answers) and `/readyz` (it can serve: database, catalog, ledger)."""

import asyncio

import orjson
from django.db import DatabaseError, connection

from catalog import snapshot
from keys.admission import process_counters
from keys.ledger import ledger

Answer = tuple[int, bytes]


async def healthz() -> Answer:
    return 200, b'{"status":"ok"}'


async def readyz() -> Answer:
    """200 when requests can be served, else 503; the body says which part is not ready and why.

    Limits that each process counts by itself, because Redis is away, are said and still serve.
    """
    problems = {
        "database": await asyncio.to_thread(_database_problem),
        "catalog": "empty: run manage.py refresh_catalog" if snapshot.current().is_empty else "",
        "ledger": ledger.health().problem,
    }
    ready = not any(problems.values())
    problems["limits"] = process_counters.health()
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    return (200 if ready else 503), orjson.dumps(body)


def _database_problem() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        return f"does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return ""
