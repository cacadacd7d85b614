"""Production entry: `gunicorn -c gunicorn.conf.py`. HOST, PORT and WEB_CONCURRENCY come from
settings.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

from django.conf import settings

wsgi_app = "proxysite.asgi:application"
bind = (
    f"[{settings.HOST}]:{settings.PORT}"
    if ":" in settings.HOST
    else f"{settings.HOST}:{settings.PORT}"
)
workers = settings.WEB_CONCURRENCY
worker_class = "proxysite.worker.GatewayWorker"
backlog = 4096
keepalive = 75
graceful_timeout = int(settings.STOP_GRACE) + 15
# An event loop that is stuck this long is dead; the worker is replaced.
timeout = 60
accesslog = None
loglevel = "warning"
logconfig_dict = settings.LOGGING
