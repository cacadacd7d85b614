"""The operator's view of the catalog: what can be run, at what price, and what changed when."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.classify.facts import ENDPOINTS
from catalog.models import Alias, CatalogChange, CatalogModel, RefreshRun
from catalog.pricing import (
    HIGHEST_USD,
    UNITS,
    neuron_text,
    plain,
    price_text,
    prices_from_json,
    prices_from_usd,
    prices_to_json,
    usd_quotes,
)
from catalog.refresh import in_background as refresh_now
from catalog.successors import successor_of
from theme.audit import Audited
from theme.model_admin import ModelAdmin, ReadOnlyAdmin, TabularInline

Lookups = list[tuple[str, str]]
# A refresh can bring a hundred changes; the history holds them all.
CHANGES_SHOWN = 20


def _usd_field(wording: str) -> forms.DecimalField:
    return forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_value=HIGHEST_USD,
        max_digits=19,
        decimal_places=12,
        label=f"USD {wording}",
    )


# One field per unit, as the units are listed in one place only.
UsdFields: type[forms.ModelForm] = type(
    "UsdFields",
    (forms.ModelForm,),
    {f"usd_{unit}": _usd_field(wording) for unit, wording in UNITS.items()},
)


class CatalogModelForm(UsdFields):  # type: ignore[misc, valid-type]
    """The operator's own fields. Any amount given replaces all other prices of the model."""

    class Meta:
        model = CatalogModel
        fields = ("enabled", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.operator_prices is not None:
            for unit, usd in usd_quotes(prices_from_json(self.instance.operator_prices)).items():
                self.initial[f"usd_{unit}"] = plain(usd)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        quotes = {
            unit: cleaned[f"usd_{unit}"] for unit in UNITS if cleaned.get(f"usd_{unit}") is not None
        }
        self.instance.operator_prices = prices_to_json(prices_from_usd(quotes)) if quotes else None
        return cleaned


class EndpointFilter(admin.SimpleListFilter):
    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [*((name, name) for name in sorted(ENDPOINTS)), ("none", "served by none")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CatalogModel]
    ) -> QuerySet[CatalogModel]:
        wanted = self.value()
        if wanted is None:
            return queryset
        # SQLite cannot search in JSON lists, and the catalog has a hundred rows.
        rows = queryset.values_list("pk", "classification__endpoints")
        return queryset.filter(
            pk__in=[
                pk
                for pk, endpoints in rows
                if (wanted in (endpoints or ())) or (wanted == "none" and not endpoints)
            ]
        )


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"
    conditions: ClassVar = {
        "on": Q(enabled=True, retired_at__isnull=True),
        "off": Q(enabled=False, retired_at__isnull=True),
        "retired": Q(retired_at__isnull=False),
        "deprecated": Q(planned_deprecation_date__isnull=False, retired_at__isnull=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [(state, state) for state in self.conditions]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CatalogModel]
    ) -> QuerySet[CatalogModel]:
        condition = self.conditions.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


class PriceSourceFilter(admin.SimpleListFilter):
    title = "price from"
    parameter_name = "price_source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("operator", "operator"),
            ("catalog", "catalog"),
            ("published", "vendor's price page"),
            ("unpriced", "nowhere: unpriced"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CatalogModel]
    ) -> QuerySet[CatalogModel]:
        source = self.value()
        if source is None:
            return queryset
        if source == "operator":
            return queryset.filter(operator_prices__isnull=False)
        return queryset.filter(operator_prices__isnull=True, price_source=source)


class AliasInline(TabularInline):
    model = Alias
    extra = 1
    fields = ("alias",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # The table's head is the label for who sees it.
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = "Alias"
        return field


@admin.register(CatalogModel)
class CatalogModelAdmin(Audited, ModelAdmin):
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
        return _pretty(model.entry)

    @admin.display(description="classification")
    def classification_json(self, model: CatalogModel) -> SafeString:
        return _pretty(model.classification)

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

    # --- Refresh now --------------------------------------------------------------------------

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

    def object_context(self, request: HttpRequest, model: CatalogModel) -> dict[str, Any]:
        changes = CatalogChange.objects.filter(model_name=model.name)
        context: dict[str, Any] = {"changes": changes[:CHANGES_SHOWN]}
        if model.planned_deprecation_date is not None:
            context["successor"] = successor_of(model, CatalogModel.objects.all())
        return context

    def refresh_now(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = RefreshRun.begin_from_admin()
        if run is not None:
            refresh_now.start(run)
        else:
            self.message_user(request, "A refresh is running already: this is it.", messages.INFO)
            run = RefreshRun.running()
        if run is None:  # it ended in between
            return HttpResponseRedirect(reverse("admin:catalog_catalogmodel_changelist"))
        return HttpResponseRedirect(reverse("admin:catalog_refresh_page", args=[run.pk]))

    def refresh_page(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """How far a refresh is, and then what it changed."""
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


@admin.register(Alias)
class AliasAdmin(Audited, ModelAdmin):
    list_display = ("alias", "target", "created_at")
    when_empty = "An alias lets clients ask for a model by another name, such as gpt-4o."
    list_select_related = ("target",)
    search_fields = ("alias", "target__name")
    readonly_fields = ("created_at",)


@admin.register(CatalogChange)
class CatalogChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "model_name", "kind", "text")
    when_empty = "What the next refresh changes shows here."
    list_filter = ("kind", "at")
    search_fields = ("model_name",)
    fields = ("at", "model_name", "kind", "text", "what_json", "run")
    readonly_fields = ("what_json",)

    @admin.display(description="before and after")
    def what_json(self, change: CatalogChange) -> SafeString:
        return _pretty(change.what)


@admin.register(RefreshRun)
class RefreshRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "ok", "trigger", "forced", "summary", "error")
    when_empty = "Refresh now, above the list of models, makes the first run."
    list_filter = ("ok", "trigger")
    change_form_template = "admin/catalog/refreshrun/change_form.html"

    def object_context(self, request: HttpRequest, run: RefreshRun) -> dict[str, Any]:
        return {"changes": run.changes.all()}


def _pretty(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
