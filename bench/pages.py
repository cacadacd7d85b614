"""How fast the pages of operators and members answer on a large log: `python -m bench.pages`.

Makes a year with `bench.history` on SQLite and on PostgreSQL, by default of five million rows, and
asks for every admin list, every filter of the request log alone and with every other,
the dashboard in each of its forms, and the members' pages. A page's seconds are CPU time, the
database server's included, since elapsed time depends on the machine's other work.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import services

ROOT = Path(__file__).resolve().parent.parent
FIRST_CORE = 0
ENGINES = ("sqlite", "postgresql")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="both when not given")
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--database-url", help="of one that bench.history has filled already")
    parser.add_argument("--most", type=float, default=1.0, help="CPU seconds that a page may take")
    arguments = parser.parse_args()
    limit = ["--most", str(arguments.most)]
    if arguments.database_url:
        return _run("bench.pages_asked", *limit, url=arguments.database_url)
    failures = 0
    for engine in arguments.engine or ENGINES:
        if engine == "postgresql" and not services.has_postgres():
            print("PostgreSQL is not installed.")
            failures += 1
            continue
        with _database(engine) as url:
            print(
                f"Making {arguments.rows:,} rows of {arguments.keys} keys on {engine} …", flush=True
            )
            made = _run("manage", "migrate", "-v0", url=url) or _run(
                *("bench.history", "--keys", str(arguments.keys), "--rows", str(arguments.rows)),
                url=url,
            )
            failures += made or _run("bench.pages_asked", *limit, url=url)
    return min(failures, 1)


@contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "postgresql":
        with services.postgres(FIRST_CORE) as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
            yield f"sqlite:///{folder}/gateway.sqlite3"


def _run(module: str, *words: str, url: str) -> int:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "HTTPS": "off",
    }
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
