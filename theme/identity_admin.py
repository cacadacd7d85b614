"""The admin of whom the issuer of single sign-on knows an account as, in place of allauth's own."""

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.socialaccount.admin import SocialAccount, SocialAccountAdmin, SocialApp, SocialToken
from django.contrib import admin
from django.http import HttpRequest

from theme.accounts_in_reach import is_within_reach
from theme.model_admin import ModelAdmin

# Their modules, imported above, have registered them.
admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken])


@admin.register(SocialAccount)
class IdentityAdmin(SocialAccountAdmin, ModelAdmin):
    """Looked at, and taken away from who has left. To give an identity to another account would be
    a way into that one."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and is_within_reach(request, None if obj is None else obj.user)
