"""The button Refresh now, and the page that shows a refresh's progress and its changes."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse

from catalog.models import RefreshRun
from catalog.refresh import in_background
from theme.model_admin import ModelAdmin


class RefreshPages(ModelAdmin):
    """The base of the admin whose list has the button."""

    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Callable[..., HttpResponse]] = self.admin_site.admin_view
        return [
            path("refresh/", wrap(self.refresh_now), name="catalog_refresh"),
            path("refresh/<int:run_id>/", wrap(self.refresh_page), name="catalog_refresh_page"),
            *super().get_urls(),
        ]

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "may_refresh": self.has_change_permission(request),
            "last": RefreshRun.objects.filter(ok=True).first(),
            "running": RefreshRun.running(),
        }

    def refresh_now(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = RefreshRun.begin_from_admin()
        if run is not None:
            in_background.start(run)
        else:
            self.message_user(
                request, "A refresh is running already; this page shows it.", messages.INFO
            )
            run = RefreshRun.running()
        if run is None:  # it ended in the meantime
            return HttpResponseRedirect(reverse("admin:catalog_catalogmodel_changelist"))
        return HttpResponseRedirect(reverse("admin:catalog_refresh_page", args=[run.pk]))

    def refresh_page(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """The progress of a refresh, and once it is over what it changed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = RefreshRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Http404("There is no such refresh.")
        is_running = run.finished_at is None
        return self.own_page(
            request,
            "admin/catalog/catalogmodel/refresh.html",
            "Refresh of the catalog",
            run=run,
            is_running=is_running and run == RefreshRun.running(),
            broke_off=is_running and run != RefreshRun.running(),
            changes=run.changes.all(),
            may_refresh=self.has_change_permission(request),
        )
