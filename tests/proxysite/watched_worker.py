"""A worker that tells on itself: a line for each database query, each hop to a thread, and for
objects that a request left to the garbage collector.

Set it with GUNICORN_CMD_ARGS. The threads of the ledger, the refresher and the alerts are left
out: theirs is the work that requests must not do. The lines go to the file that HOT_PATH_REPORT
names, each with the calls that led there.
"""

import gc
import os
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.db.backends.utils import CursorWrapper

from proxysite.api_request import ApiRequest
from proxysite.worker import GatewayWorker

BACKGROUND_THREADS = ("alerts", "ledger", "refresher")
# Functions that call themselves, which the ORM makes on the threads in the background.
OF_QUERIES = {"cell", "function", "tuple"}
QUIET_FRAMES = 2  # this module's own
SHOWN_FRAMES = 12


def tell(what: str) -> None:
    if threading.current_thread().name in BACKGROUND_THREADS:
        return
    frames = traceback.extract_stack()[-SHOWN_FRAMES - QUIET_FRAMES : -QUIET_FRAMES]
    calls = " > ".join(f"{Path(frame.filename).name}:{frame.name}" for frame in frames)
    with Path(os.environ["HOT_PATH_REPORT"]).open("a") as report:
        report.write(f"{what}: {calls}\n")


def watched(owner: type, name: str, what: str) -> None:
    """Puts a method in the place of `owner.name` that tells and then does the same."""
    original: Callable[..., Any] = getattr(owner, name)

    def telling(*args: Any, **kwargs: Any) -> Any:
        tell(what)
        return original(*args, **kwargs)

    setattr(owner, name, telling)


def watch_garbage() -> None:
    """Before each request: what those before it left behind in circles, a body of 5 MB perhaps."""
    original = ApiRequest.__init__

    def collecting(request: ApiRequest, *args: Any) -> None:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(one).__name__ for one in gc.garbage} - OF_QUERIES
        gc.set_debug(0)
        gc.garbage.clear()
        if left:
            tell(f"garbage: {', '.join(sorted(left))}")
        original(request, *args)

    ApiRequest.__init__ = collecting  # type: ignore[method-assign]


class WatchedWorker(GatewayWorker):
    def init_process(self) -> None:
        watched(CursorWrapper, "execute", "query")
        watched(CursorWrapper, "executemany", "query")
        watched(ThreadPoolExecutor, "submit", "thread")
        watched(threading.Thread, "start", "thread")
        watch_garbage()
        super().init_process()
