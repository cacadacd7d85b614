"""Whether this worker was told to end. Set once and for good; each worker is a process."""

_has_begun = False


def begin() -> None:
    global _has_begun
    _has_begun = True


def has_begun() -> bool:
    return _has_begun
