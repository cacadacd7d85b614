"""The operator's view of a model: what can run it, at what price, and what changed when."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalog.models import CatalogChange, CatalogModel
from catalog.operators.alias_admin import AliasInline
from catalog.operators.model_filters import EndpointFilter, PriceSourceFilter, StateFilter
from catalog.operators.model_form import CatalogModelForm
from catalog.operators.refresh_pages import RefreshPages
from catalog.pricing.prices import UNITS, prices_from_json
from catalog.pricing.texts import neuron_text, price_text
from catalog.successors import successor_of
from theme.audit import Audited
from theme.shown import indented_json

# A refresh can make a hundred changes; the history has all of them.
CHANGES_SHOWN = 20


@admin.register(CatalogModel)
class CatalogModelAdmin(Audited, RefreshPages):
    form = CatalogModelForm
    inlines = (AliasInline,)
    list_display = (
        "name",
        "task",
        "endpoints",
        "capabilities",
        "context_window",
        "price",
        "neurons",
        "state",
        "goes",
    )
    list_filter = (StateFilter, EndpointFilter, PriceSourceFilter, "task")
    search_fields = ("name", "description", "notes", "aliases__alias")
    actions = ("enable", "disable")
    when_empty = "Refresh now reads the list of models from Workers AI."
    fieldsets = (
        (None, {"fields": ("name", "state", "enabled", "notes")}),
        (
            "What it is",
            {
                "fields": (
                    "description",
                    "task",
                    "author",
                    "created_at",
                    "context_window",
                    "planned_deprecation_date",
                    "capabilities",
                )
            },
        ),
        ("What runs it", {"fields": ("endpoints", "refusals")}),
        ("Price", {"fields": ("price", "catalog_price")}),
        (
            "Own price (USD)",
            {
                "classes": ("collapse",),
                "description": "Any amount given here replaces all other prices of the model. "
                "Empty fields throughout: the catalog's prices count.",
                "fields": tuple(f"usd_{unit}" for unit in UNITS),
            },
        ),
        ("Seen", {"fields": ("first_seen_at", "last_seen_at", "retired_at")}),
        (
            "As Cloudflare sent it",
            {"classes": ("collapse",), "fields": ("entry_json", "classification_json")},
        ),
    )
    readonly_fields = (
        "name",
        "state",
        "description",
        "task",
        "author",
        "created_at",
        "context_window",
        "planned_deprecation_date",
        "capabilities",
        "endpoints",
        "refusals",
        "price",
        "catalog_price",
        "first_seen_at",
        "last_seen_at",
        "retired_at",
        "entry_json",
        "classification_json",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A model that is gone is retired, so that its log rows keep their meaning.
        return False

    def save_model(self, request: HttpRequest, obj: CatalogModel, form: Any, change: bool) -> None:
        # Only the operator's fields: the form may be older than the last refresh.
        obj.save(update_fields={"enabled", "notes", "operator_prices"})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)

    @admin.display(description="endpoints")
    def endpoints(self, model: CatalogModel) -> str:
        return ", ".join(model.classification.get("endpoints", ())) or "none"

    @admin.display(description="cannot be used for")
    def refusals(self, model: CatalogModel) -> str:
        refusals = model.classification.get("refusals", {})
        return "; ".join(f"{endpoint}: {why}" for endpoint, why in refusals.items()) or "–"

    @admin.display(description="capabilities")
    def capabilities(self, model: CatalogModel) -> str:
        return ", ".join(model.classification.get("capabilities", ())) or "–"

    @admin.display(description="price")
    def price(self, model: CatalogModel) -> str:
        text = price_text(model.effective_prices) or "unpriced"
        source = model.effective_price_source
        return text if source in ("catalog", "unpriced") else f"{text} ({source})"

    @admin.display(description="neurons")
    def neurons(self, model: CatalogModel) -> str:
        return neuron_text(model.effective_prices)

    @admin.display(description="planned to go", ordering="planned_deprecation_date")
    def goes(self, model: CatalogModel) -> str:
        day = model.planned_deprecation_date
        return f"{day:%Y-%m-%d}" if day else "–"

    @admin.display(description="price without yours")
    def catalog_price(self, model: CatalogModel) -> str:
        text = price_text(prices_from_json(model.prices)) or "none"
        return f"{text} ({model.get_price_source_display()})"

    @admin.display(description="state", ordering="retired_at")
    def state(self, model: CatalogModel) -> str:
        if model.retired_at is not None:
            return f"retired {model.retired_at:%Y-%m-%d}"
        return "on" if model.enabled else "off"

    @admin.display(description="entry")
    def entry_json(self, model: CatalogModel) -> SafeString:
        return indented_json(model.entry)

    @admin.display(description="classification")
    def classification_json(self, model: CatalogModel) -> SafeString:
        return indented_json(model.classification)

    @admin.action(description="Enable the selected models", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[CatalogModel]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable the selected models", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[CatalogModel]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[CatalogModel], *, enabled: bool
    ) -> None:
        word = "enabled" if enabled else "disabled"
        others = list(queryset.exclude(enabled=enabled))
        CatalogModel.objects.filter(pk__in=[model.pk for model in others]).update(enabled=enabled)
        for model in others:
            self.log_change(request, model, f"{word.capitalize()}.")
        plural = "" if len(others) == 1 else "s"
        self.message_user(request, f"{len(others)} model{plural} {word}.", messages.SUCCESS)

    def object_context(self, request: HttpRequest, model: CatalogModel) -> dict[str, Any]:
        changes = CatalogChange.objects.filter(model_name=model.name)
        context: dict[str, Any] = {"changes": changes[:CHANGES_SHOWN]}
        if model.planned_deprecation_date is not None:
            context["successor"] = successor_of(model, CatalogModel.objects.all())
        return context
