"""What requests find out on their way: kept in memory until the watch's thread takes it.

Noting costs a request no query and waits for nothing. What is found again in the same window
replaces what is there, so the memory is bounded by what can happen, and by MOST.
"""

import threading
from typing import Final

from alerts.findings import Finding

MOST: Final = 1000

_noted: dict[tuple[str, int], Finding] = {}
_lock = threading.Lock()


def note(finding: Finding) -> None:
    with _lock:
        if len(_noted) < MOST:
            _noted[finding.series, finding.level] = finding


def take() -> list[Finding]:
    with _lock:
        found = list(_noted.values())
        _noted.clear()
    return found
