"""Whose accounts an operator may change: any for superusers, for all others those of members.

Who could change another operator's account, or what operators may do, would have all of it.
"""

from typing import Any

from django.http import HttpRequest


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def is_within_reach(request: HttpRequest, account: Any) -> bool:
    """Whether the account is no other operator's, or a superuser asks; None is any of them."""
    if account is None or is_superuser(request) or account.pk == request.user.pk:
        return True
    return not (account.is_staff or account.is_superuser)
