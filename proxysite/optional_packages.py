"""Django REST framework without the optional packages that it looks for.

It imports each one that is installed, whatever for: `requests`, which single sign-on needs, `yaml`
for the document of `/api`, PostgreSQL's driver. No request to `/v1` needs them, and they are 16 MiB
of a worker. Who does need one imports it from where it is.
"""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

_OPTIONAL: Final = frozenset(
    {"django.contrib.postgres", "inflection", "markdown", "pygments", "requests", "uritemplate"}
    | {"yaml"}
)


def leave_out() -> None:
    """Before anything imports the framework's views."""
    with _as_if_not_installed(_OPTIONAL):
        import_module("rest_framework.compat")


@contextmanager
def _as_if_not_installed(names: Collection[str]) -> Iterator[None]:
    modules: dict[str, Any] = sys.modules
    imported = {name: modules[name] for name in names if name in modules}
    # Python's own way of saying that a module cannot be imported.
    modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name in names:
            del modules[name]
        modules.update(imported)
