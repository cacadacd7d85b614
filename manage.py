#!/usr/bin/env python
"""Django's command line for the gateway."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting that cannot be used: its one line says more than a traceback.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
