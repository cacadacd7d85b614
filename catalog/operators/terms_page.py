"""The button that accepts a model's terms for the account."""

from collections.abc import Callable

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

from catalog import terms
from catalog.models import CatalogModel
from theme.model_admin import ModelAdmin
from workers_ai.errors import WorkersAIError


class TermsPage(ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Callable[..., HttpResponse]] = self.admin_site.admin_view
        accept = path(
            "<int:model_id>/accept-terms/", wrap(self.accept_terms), name="catalog_accept_terms"
        )
        return [accept, *super().get_urls()]

    def accept_terms(self, request: HttpRequest, model_id: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        model = CatalogModel.objects.filter(pk=model_id).first()
        if model is None:
            raise Http404("There is no such model.")
        link = terms.terms_of(model)
        try:
            terms.accept(model)
        except WorkersAIError as error:
            self.message_user(
                request, f"Cloudflare did not take the acceptance: {error}", messages.ERROR
            )
        else:
            where = f" ({link})" if link else ""
            self.log_change(request, model, f"Accepted the model's terms{where} for the account.")
            self.message_user(
                request,
                f"The terms of {model.name} are accepted for the account{where}.",
                messages.SUCCESS,
            )
        return HttpResponseRedirect(reverse("admin:catalog_catalogmodel_change", args=[model.pk]))
