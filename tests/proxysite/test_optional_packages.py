"""A worker imports none of the packages that Django REST framework would use if it could."""

import os
import subprocess
import sys
from pathlib import Path

from tests.needs import ROOT

WHAT_A_WORKER_IMPORTS = """
import sys
import proxysite.asgi
unneeded = {"inflection", "markdown", "psycopg", "requests", "uritemplate", "yaml"}
assert not unneeded & {*sys.modules}, unneeded & {*sys.modules}
# They are there for those who need them, as single sign-on and the document of /api do.
import requests, uritemplate, yaml
import django.contrib.postgres.fields
"""


def test_a_worker_on_sqlite_imports_no_package_that_it_does_not_need(
    tmp_path: Path,
) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "proxysite.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.sqlite3'}",
    }
    environment.pop("REDIS_URL", None)
    subprocess.run(
        [sys.executable, "-c", WHAT_A_WORKER_IMPORTS], cwd=ROOT, env=environment, check=True
    )
