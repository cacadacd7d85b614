"""Accounts, in the theme's clothes, and who changed what."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from theme.model_admin import ModelAdmin, ReadOnlyAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # The two-sided chooser has labels that screen readers may not get.
    filter_horizontal = ()


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):
    filter_horizontal = ()


@admin.register(LogEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Every change made in the admin, and of keys wherever it was made, newest first. Secrets are
    in none of them."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "user__username")
    show_full_result_count = False
    when_empty = "The first change of a key, a model or an account shows here."
    fields = ("action_time", "user", "content_type", "object_repr", "change")
    readonly_fields = fields

    @admin.display(description="what")
    def change(self, entry: LogEntry) -> str:
        return str(entry.get_change_message())
