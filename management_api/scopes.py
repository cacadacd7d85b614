"""What a service token may be for, and which of it a request needs. Pure.

A scope is a family of things and one of read and write. Reading needs the family's `read`, every
other method its `write`; neither has the other in it. No scope is for service tokens themselves, so
no token makes or changes one.
"""

from typing import Final

FAMILIES: Final = {
    "keys": ("read", "write"),
    "teams": ("read", "write"),
    "usage": ("read",),
    "logs": ("read",),
    "catalog": ("read", "write"),
}
SCOPES: Final = tuple(f"{family}:{what}" for family, whats in FAMILIES.items() for what in whats)
# What an operator has to be allowed in the admin, to let a token have the scope.
PERMISSIONS: Final = {
    "keys:read": ("keys.view_key", "keys.view_ownerlimits", "keys.view_raise"),
    "keys:write": ("keys.add_key", "keys.change_key", "keys.change_ownerlimits", "keys.add_raise"),
    "teams:read": ("keys.view_team",),
    "teams:write": ("keys.add_team", "keys.change_team", "keys.delete_team"),
    "usage:read": ("keys.view_requestlog",),
    "logs:read": ("keys.view_requestlog",),
    "catalog:read": ("catalog.view_catalogmodel", "catalog.view_alias"),
    "catalog:write": (
        *("catalog.change_catalogmodel", "catalog.add_alias"),
        *("catalog.change_alias", "catalog.delete_alias"),
    ),
}
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_for(family: str, method: str) -> str:
    """'keys:read' for a GET of keys."""
    return f"{family}:{'read' if method in SAFE_METHODS else 'write'}"


def family_of_holder(kind: str) -> str:
    """Whose scopes the limits and raises of such a holder need."""
    return "teams" if kind == "team" else "keys"


def scopes_from_text(text: str) -> list[str]:
    """'keys:read,usage:read' as a list in the order of SCOPES. Raises ValueError with what is
    wrong."""
    named = {part.strip() for part in text.replace(",", " ").split()}
    unknown = sorted(named - set(SCOPES))
    if unknown:
        raise ValueError(f"there is no scope {unknown[0]!r}: it takes {', '.join(SCOPES)}")
    if not named:
        raise ValueError(f"it takes at least one of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in named]
