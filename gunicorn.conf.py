"""Production entry: `gunicorn -c gunicorn.conf.py`. HOST, PORT and WEB_CONCURRENCY come from
settings.
"""

import logging
import os
import sys
import tempfile
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from alerts import shared_moments
from proxysite import freed_memory, garbage, start_checks
from proxysite.http import open_files
from proxysite.http.worker_loads import worker_loads

garbage.look_seldom()
# Made before the workers are forked, so that they share it.
assert shared_moments.shared_outage

try:
    settings.DEBUG  # noqa: B018  reads all settings
except ImproperlyConfigured as error:
    # One line that names the variable; gunicorn would print a traceback before it.
    sys.exit(str(error))

wsgi_app = "proxysite.asgi:application"
bind = (
    f"[{settings.HOST}]:{settings.PORT}"
    if ":" in settings.HOST
    else f"{settings.HOST}:{settings.PORT}"
)
workers = settings.WEB_CONCURRENCY
worker_class = "proxysite.worker.GatewayWorker"
backlog = 4096
graceful_timeout = int(settings.DRAIN_DELAY + settings.STOP_GRACE) + 15
# The workers' heartbeats are a file each, which must not wait for a disk; and in a container memory
# may be the only place that can be written.
MEMORY = "/dev/shm"
HAS_MEMORY = os.access(MEMORY, os.W_OK)
if HAS_MEMORY:
    worker_tmp_dir = MEMORY
try:
    tempfile.gettempdir()
except FileNotFoundError:
    if not HAS_MEMORY:
        sys.exit(f"No folder can be written: mount {MEMORY}, or set TMPDIR to one that can.")
    tempfile.tempdir = MEMORY
# Its socket would be in the home folder, which two gateways share and a container lacks.
control_socket_disable = True
# A worker whose event loop is blocked this long is replaced.
timeout = 60
accesslog = None
loglevel = "warning"
logconfig_dict = settings.LOGGING


def on_starting(server: object) -> None:
    """Runs the checks of settings before any worker: errors stop the start, warnings are logged."""
    open_files.raise_limit()
    freed_memory.keep()
    django.setup()
    problems = start_checks.run()
    for problem in problems:
        logging.getLogger("gateway.checks").warning("%s", " ".join(str(problem).split()))
    if any(problem.is_serious() for problem in problems):
        sys.exit(1)


def pre_fork(server: object, worker: Any) -> None:
    worker.place = worker_loads.take_place()


def child_exit(server: object, worker: Any) -> None:
    worker_loads.give_back(worker.place)
