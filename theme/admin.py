"""The admin of accounts and groups, and the log of who changed what."""

from typing import Any, Final

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from theme.accounts_in_reach import is_superuser, is_within_reach
from theme.model_admin import ModelAdmin, ReadOnlyAdmin, moment_column

admin.site.unregister([User, Group])

# What makes an operator, and says what one may do.
ROLE: Final = ("is_staff", "is_superuser", "groups", "user_permissions")
# Of what refers to an account, by the models' labels.
ON_RECORD: Final = frozenset({"admin.LogEntry", "keys.Key"})


@admin.register(User)
class AccountAdmin(UserAdmin, ModelAdmin):
    """Who may change accounts changes those of members. Operators, and what each may do, are a
    superuser's: whoever else could change them would have all that they may do."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # The two-sided chooser has labels that screen readers may not read.
    filter_horizontal = ()
    actions = ("make_inactive",)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return () if is_superuser(request) else ROLE

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and is_within_reach(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Make the selected accounts inactive", permissions=["change"])
    def make_inactive(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Never oneself, who would be out with the next page."""
        others = queryset.filter(is_active=True).exclude(pk=request.user.pk or 0)
        accounts = [account for account in others if is_within_reach(request, account)]
        for account in accounts:
            account.is_active = False
            account.save(update_fields=["is_active"])
            self.log_change(request, account, "Active: True → False.")
        plural = "" if len(accounts) == 1 else "s"
        self.message_user(request, f"{len(accounts)} account{plural} made inactive.")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        if (
            account is not None
            and self.has_delete_permission(request, account)
            and _is_on_record(account)
        ):
            self.message_user(
                request,
                f"{account} has keys or changes on record, which would go with the account. Make "
                "the account inactive instead: its sessions, keys and ways in end within 5 "
                "seconds. The command erase_owner takes the name out of what is kept.",
                messages.ERROR,
            )
            return redirect("admin:auth_user_change", account.pk)
        return super().delete_view(request, object_id, extra_context)


def _is_on_record(account: User) -> bool:
    """Whether rows that tell what was done would be deleted with it."""
    return any(
        relation.related_model._default_manager.filter(**{relation.field.name: account}).exists()
        for relation in account._meta.related_objects
        if relation.related_model._meta.label in ON_RECORD
    )


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):
    """Groups give permissions, so that superusers alone make and change them."""

    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)


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


if apps.is_installed("allauth.socialaccount"):
    from theme import identity_admin as identity_admin
