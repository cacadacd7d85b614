"""Whether a model's name matches patterns such as '@cf/meta/*'. Pure."""

from fnmatch import fnmatchcase
from functools import lru_cache


@lru_cache(maxsize=8192)
def matches_any(patterns: tuple[str, ...], name: str) -> bool:
    # Callers choose the names, so the cache is bounded; fnmatch caches compiled patterns.
    return any(fnmatchcase(name, pattern) for pattern in patterns)
