"""The operator's view of a model: what can run it, at what price, and what changed when."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from catalog import accounts, breaker, learnt, paces, snapshot
from catalog.models import OPEN, TERMS, Alias, CatalogChange, CatalogModel
from catalog.operators.alias_admin import AliasInline
from catalog.operators.model_filters import EndpointFilter, PriceSourceFilter, StateFilter
from catalog.operators.model_form import CatalogModelForm
from catalog.operators.refresh_pages import RefreshPages
from catalog.operators.successor_page import SuccessorPage
from catalog.operators.terms_page import TermsPage
from catalog.pricing.prices import UNITS, prices_from_json
from catalog.pricing.texts import neuron_text, price_text
from catalog.successors import successor_of
from catalog.terms import terms_of
from theme.audit import Audited
from theme.shown import indented_json, lines, moment, noted, tag

# A refresh can make a hundred changes; the history has all of them.
CHANGES_SHOWN = 20
SOURCE_WORDS = {"operator": "your own price", "published": "from the vendor's price page"}


@admin.register(CatalogModel)
class CatalogModelAdmin(Audited, SuccessorPage, TermsPage, RefreshPages):
    form = CatalogModelForm
    inlines = (AliasInline,)
    list_display = (
        "named",
        "endpoints",
        "capabilities",
        "context",
        "price",
        "state",
    )
    list_filter = (StateFilter, EndpointFilter, PriceSourceFilter, "task")
    search_fields = ("name", "description", "notes", "aliases__alias")
    actions = ("enable", "disable")
    when_empty = "Use Refresh now to read the list of models from Workers AI."
    search_help_text = "Name, alias, description or notes"
    fieldsets = (
        (None, {"fields": ("name", "state", "enabled", "notes")}),
        (
            "Model",
            {
                "fields": (
                    "description",
                    "task",
                    "author",
                    "created",
                    "context",
                    "planned_deprecation_date",
                    "capabilities",
                )
            },
        ),
        ("Endpoints", {"fields": ("endpoints", "refusals")}),
        ("Price", {"fields": ("price", "neurons", "catalog_price")}),
        (
            "Your own price (USD)",
            {
                "classes": ("collapse",),
                "description": "One amount here replaces all other prices of the model. "
                "While all fields are empty, the catalog's prices hold.",
                "fields": tuple(f"usd_{unit}" for unit in UNITS),
            },
        ),
        ("In the catalog", {"fields": ("first_seen", "last_seen", "retired")}),
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
        "created",
        "context",
        "planned_deprecation_date",
        "capabilities",
        "endpoints",
        "refusals",
        "price",
        "neurons",
        "catalog_price",
        "first_seen",
        "last_seen",
        "retired",
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

    @admin.display(description="name", ordering="name")
    def named(self, model: CatalogModel) -> SafeString:
        return noted(model.name, model.task)

    @admin.display(description="context (tokens)", ordering="context_window")
    def context(self, model: CatalogModel) -> str:
        return "–" if model.context_window is None else f"{model.context_window:,}"

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
    def price(self, model: CatalogModel) -> SafeString:
        text = price_text(model.effective_prices) or "no price"
        source = SOURCE_WORDS.get(model.effective_price_source, "")
        return lines([*text.split(" · "), *([source] if source else [])])

    @admin.display(description="price in neurons")
    def neurons(self, model: CatalogModel) -> SafeString:
        text = neuron_text(model.effective_prices)
        return lines(text.split(" · ") if text else ())

    @admin.display(description="price without your own")
    def catalog_price(self, model: CatalogModel) -> SafeString:
        text = price_text(prices_from_json(model.prices)) or "none"
        source = SOURCE_WORDS.get(model.price_source, "")
        return lines([*text.split(" · "), *([source] if source else [])])

    @admin.display(description="state", ordering="retired_at")
    def state(self, model: CatalogModel) -> SafeString:
        if model.retired_at is not None:
            return noted(tag("retired", "bad"), f"{model.retired_at:%Y-%m-%d}")
        if model.enabled and model.access != OPEN:
            return noted(tag(model.get_access_display(), "warn"), "refused so far")
        day = model.planned_deprecation_date
        return noted(
            tag("enabled", "good") if model.enabled else tag("disabled", "bad"),
            f"deprecated from {day:%Y-%m-%d}" if day else "",
        )

    @admin.display(description="published")
    def created(self, model: CatalogModel) -> SafeString:
        return moment(model.created_at, "unknown")

    @admin.display(description="first listed")
    def first_seen(self, model: CatalogModel) -> SafeString:
        return moment(model.first_seen_at)

    @admin.display(description="last listed")
    def last_seen(self, model: CatalogModel) -> SafeString:
        return moment(model.last_seen_at)

    @admin.display(description="retired")
    def retired(self, model: CatalogModel) -> SafeString:
        return moment(model.retired_at, "no")

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
        context: dict[str, Any] = {
            "changes": changes[:CHANGES_SHOWN],
            "learnt": learnt.lessons_of(model.name),
            "paces": paces.paces_of(snapshot.record_of(model), accounts.names() or [""]),
            "rest": breaker.rest_of(model.name),
            "terms": terms_of(model) if model.access == TERMS else "",
            "may_accept": model.access == TERMS and self.has_change_permission(request),
        }
        if model.goes:
            context["successor"] = successor_of(model, CatalogModel.objects.all())
            alias = Alias.objects.filter(alias=model.name).select_related("target").first()
            context["leads_to"] = alias.target.name if alias is not None else ""
            context["may_lead_on"] = request.user.has_perm("catalog.add_alias")
        return context
