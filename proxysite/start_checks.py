"""The checks that are worth a start: those of what an operator sets, our own.

Django's look at models, pages and addresses, which are the code's: `manage.py check` runs all, and
so do the tests. They would import every page before the first worker.
"""

from django.core.checks import CheckMessage, run_checks


def run() -> list[CheckMessage]:
    return run_checks(tags=("keys", "proxysite"))
