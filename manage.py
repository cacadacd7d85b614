#!/usr/bin/env python
"""Django's command line for the gateway."""

import errno
import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import Error as DatabaseError
from django.db.utils import IntegrityError

from proxysite import garbage
from storage.failure import in_one_line
from storage.words import engine_words, is_outage

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")
    garbage.look_seldom()
    prepare_output()
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as error:
        # A setting that cannot be used: one line says more than a traceback.
        sys.exit(str(error))
    except IntegrityError as error:
        # Django's own commands look first and then make.
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Somebody made or changed the same at this moment: {engine_words(error)}")
    except DatabaseError as error:
        if "--traceback" in sys.argv or not is_outage(error):
            raise
        sys.exit(in_one_line(error))
    except BrokenPipeError:
        # The reader has what it wants (`| head`) and closed the pipe.
        drop_output()
    except OSError as error:
        # What has a file's name is told by who opens the file.
        if "--traceback" in sys.argv or error.errno not in NO_ROOM or error.filename is not None:
            raise
        drop_output()
        sys.exit(f"The output cannot be written: {error.strerror}.")
    except KeyboardInterrupt:
        sys.exit(130)


def prepare_output() -> None:
    """A name that the terminal's encoding lacks, or an output that is closed, must not end a
    command, which may be about to show a secret this once."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        getattr(sys, name).reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Or Python would try once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
