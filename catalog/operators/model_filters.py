"""The filters of the list of models, beside the task."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.classify.facts import ENDPOINTS
from catalog.model_states import MODEL_STATES
from catalog.models import CatalogModel

Lookups = list[tuple[str, str]]


class EndpointFilter(admin.SimpleListFilter):
    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [*((name, name) for name in sorted(ENDPOINTS)), ("none", "none")]

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

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("on", "enabled"),
            ("off", "disabled"),
            ("retired", "retired"),
            ("deprecated", "deprecation planned"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CatalogModel]
    ) -> QuerySet[CatalogModel]:
        condition = MODEL_STATES.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


class PriceSourceFilter(admin.SimpleListFilter):
    title = "source of the price"
    parameter_name = "price_source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("operator", "operator"),
            ("catalog", "catalog"),
            ("published", "vendor's price page"),
            ("unpriced", "no price"),
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
