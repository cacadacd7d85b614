"""What every list and form of the admin is made of: the theme's classes, set up once."""

from typing import Any, ClassVar

import unfold.admin
from django.http import HttpRequest


class ModelAdmin(unfold.admin.ModelAdmin):
    # Beside the table on wide screens, over it on others.
    list_filter_sheet = False
    list_fullwidth = True
    # What to do about a list that is empty.
    when_empty: ClassVar[str] = ""


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TabularInline(unfold.admin.TabularInline):
    pass
