"""The admin of accounts and groups, and the log of who changed what."""

from typing import Final

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from theme.model_admin import ModelAdmin, ReadOnlyAdmin, moment_column

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # The two-sided chooser has labels that screen readers may not read.
    filter_horizontal = ()


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):
    filter_horizontal = ()


WHEN: Final = moment_column("action_time", "when")


@admin.register(LogEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Every change made in the admin, and of keys wherever it was made, newest first. Secrets are
    in none of them."""

    list_display = (WHEN, "who", "kind", "object_repr", "change")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "user__username")
    show_full_result_count = False
    list_words = "Audit log"
    search_help_text = "User, or name of what was changed"
    when_empty = "A change of a key, a model or an account appears here as soon as it is made."
    fields = (WHEN, "who", "kind", "object_repr", "change")
    readonly_fields = fields

    @admin.display(description="who", ordering="user__username")
    def who(self, entry: LogEntry) -> str:
        return entry.user.get_username()

    @admin.display(description="kind", ordering="content_type")
    def kind(self, entry: LogEntry) -> str:
        return "" if entry.content_type is None else entry.content_type.name

    @admin.display(description="what changed")
    def change(self, entry: LogEntry) -> str:
        return str(entry.get_change_message())
