"""The button that lets requests for a model go to its successor, once it is gone."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse

from catalog.models import Alias, CatalogModel
from catalog.successors import successor_of
from theme.model_admin import ModelAdmin


class SuccessorPage(ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        wrap: Callable[..., Callable[..., HttpResponse]] = self.admin_site.admin_view
        lead = path(
            "<int:model_id>/lead-to-successor/",
            wrap(self.lead_to_successor),
            name="catalog_lead_to_successor",
        )
        return [lead, *super().get_urls()]

    def lead_to_successor(self, request: HttpRequest, model_id: int) -> HttpResponse:
        """Makes an alias of the model's own name."""
        if not request.user.has_perm("catalog.add_alias"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        model = CatalogModel.objects.filter(pk=model_id).first()
        successor = model and successor_of(model, CatalogModel.objects.all())
        if model is None or successor is None:
            raise Http404("There is no such model, or none that could follow it.")
        alias = Alias(alias=model.name, target=successor)
        try:
            alias.full_clean()
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            alias.save()
            words = f"Requests for {model.name} go to {successor.name} once it is gone."
            self.log_change(request, model, words)
            self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:catalog_catalogmodel_change", args=[model.pk]))
