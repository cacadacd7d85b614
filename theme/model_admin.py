"""The base classes of every list and form of the admin: the theme's, configured once."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import unfold.admin
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import DataError, IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.forms import PaginationInlineFormSet

from theme.shown import moment

# How many rows a table of a form may have beyond those that are stored. Django reads a thousand,
# each of which asks the database for its choices.
MOST_NEW_ROWS: Final = 50


class ModelAdmin(unfold.admin.ModelAdmin):
    # Beside the table on wide screens, over it on others.
    list_filter_sheet = False
    list_fullwidth = True
    # Numbers beside the filters would count millions of rows.
    show_facets = admin.ShowFacets.NEVER
    # What to do about a list that is empty.
    when_empty: ClassVar[str] = ""
    # Over the list and in the menu; empty: the model's plural.
    list_words: ClassVar[str] = ""
    # On the button that adds one; empty: "Add" and the name of the model.
    add_words: ClassVar[str] = ""

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the list's template shows besides the rows."""
        return {}

    def object_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the template of an existing object's form shows besides the form."""
        return {}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**self.list_context(request), **(extra_context or {})}
        shown: HttpResponse = super().changelist_view(request, context)
        return shown

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        except (DataError, OverflowError, ValueError) as error:
            # A filter in the URL that the database cannot compare with, such as a text with NUL, or
            # a year that is none.
            raise IncorrectLookupParameters from error

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if "\0" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            shown: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            # Somebody saved the same name at this moment. The form's own check finds it by now.
            shown = super().changeform_view(request, *args, **kwargs)
        return shown

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        more = {} if obj is None else self.object_context(request, obj)
        if add and self.add_words:
            more["title"] = self.add_words
        shown: HttpResponse = super().render_change_form(
            request, {**context, **more}, add, change, form_url, obj
        )
        return shown

    def own_page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A page of this model's that is neither its list nor a form, in the admin's frame."""
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**frame, **context})


def moment_column(field: str, words: str) -> Callable[[Any], SafeString]:
    """A column of a list, or a field of a form, with the moment in the viewer's zone."""

    @admin.display(description=words, ordering=field)
    def column(obj: Any) -> SafeString:
        return moment(getattr(obj, field))

    column.__name__ = field
    return column


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FewNewRows:
    """For a set of forms, as many as are stored and some more."""

    absolute_max: int
    get_queryset: Callable[[], QuerySet[Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.absolute_max = len(self.get_queryset()) + MOST_NEW_ROWS


class InlineFormSet(FewNewRows, PaginationInlineFormSet):
    pass


class TabularInline(unfold.admin.TabularInline):
    formset: Any = InlineFormSet
