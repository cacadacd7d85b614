#!/usr/bin/env python
"""Django's command line for the gateway."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import Error as DatabaseError

from storage.failure import in_one_line
from storage.words import is_outage


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting that cannot be used: one line says more than a traceback.
        sys.exit(str(error))
    except DatabaseError as error:
        if "--traceback" in sys.argv or not is_outage(error):
            raise
        sys.exit(in_one_line(error))


if __name__ == "__main__":
    main()
