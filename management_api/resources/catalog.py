"""Models of the catalog, their aliases, and refreshes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from catalog.aliases import (
    BadFallbacks,
    NoSuchModel,
    alias_as_json,
    alias_line,
    point_alias,
    set_alias,
)
from catalog.model_states import MODEL_STATES
from catalog.models import Alias, CatalogModel, RefreshRun, next_revision
from catalog.pricing.prices import usd_quotes
from catalog.pricing.texts import plain
from catalog.refresh import in_background
from keys.key_history import note_change, note_deleted, note_made
from keys.key_json import iso
from management_api.base import View
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import Fields, IdField, NoFields, TextField
from management_api.paging import page_of
from management_api.parameters import choice_parameter
from management_api.problems import bad_field, conflict, not_found


class ShownModel(serializers.Serializer[Any]):
    id = IdField()
    name = serializers.CharField()
    task = serializers.CharField()
    author = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    notes = serializers.CharField()
    endpoints = serializers.ListField(child=serializers.CharField())
    context_window = serializers.IntegerField(allow_null=True)
    prices_usd = serializers.DictField(
        child=serializers.CharField(),
        help_text="Exact, by unit: a million tokens, a minute of sound, a picture's tile or step.",
    )
    price_source = serializers.CharField()
    planned_deprecation_date = serializers.DateField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)
    aliases = serializers.ListField(child=serializers.CharField())


class ModelChange(Fields):
    enabled = serializers.BooleanField(
        required=False, help_text="False: neither listed nor run. A refresh leaves it alone."
    )
    notes = TextField(max_length=10_000, required=False, allow_blank=True)


class AliasChange(Fields):
    model = TextField(max_length=255, required=False)
    fallbacks = serializers.ListField(
        child=TextField(max_length=255),
        max_length=20,
        required=False,
        help_text="Models that are asked in this order when the one before cannot answer.",
    )


class NewAlias(AliasChange):
    alias = TextField(max_length=255)
    model = TextField(max_length=255)


class ShownAlias(serializers.Serializer[Any]):
    id = IdField()
    alias = serializers.CharField()
    model = serializers.CharField()
    fallbacks = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


class ShownRefresh(serializers.Serializer[Any]):
    id = IdField()
    state = serializers.ChoiceField(choices=("running", "done", "failed"))
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    trigger = serializers.CharField()
    summary = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())
    error = serializers.CharField()


def _shown_model(model: CatalogModel) -> dict[str, Any]:
    return {
        "id": model.pk,
        "name": model.name,
        "task": model.task,
        "author": model.author,
        "description": model.description,
        "enabled": model.enabled,
        "notes": model.notes,
        "endpoints": list(model.classification.get("endpoints", ())),
        "context_window": model.context_window,
        "prices_usd": {
            unit: plain(usd) for unit, usd in usd_quotes(model.effective_prices).items()
        },
        "price_source": model.effective_price_source,
        "planned_deprecation_date": (
            None
            if model.planned_deprecation_date is None
            else model.planned_deprecation_date.isoformat()
        ),
        "retired_at": iso(model.retired_at),
        "aliases": [alias.alias for alias in model.aliases.all()],
    }


def _shown_alias(alias: Alias) -> dict[str, Any]:
    return {"id": alias.pk, **alias_as_json(alias), "created_at": iso(alias.created_at)}


def _shown_refresh(run: RefreshRun) -> dict[str, Any]:
    state = {True: "done", False: "failed", None: "running"}[run.ok]
    return {
        "id": run.pk,
        "state": state,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "trigger": run.trigger,
        "summary": run.summary,
        "warnings": [str(warning) for warning in run.warnings],
        "error": run.error,
    }


@contextmanager
def changing_catalog() -> Iterator[None]:
    """A transaction with the lock that every change of the catalog takes."""
    with transaction.atomic():
        next_revision()
        yield


class ModelView(View):
    family = "catalog"
    filters = ("name", "state", "endpoint")

    @extend_schema(
        summary="List models",
        parameters=[
            *LIST,
            parameter("name", "The whole name."),
            parameter("state", f"One of {', '.join(MODEL_STATES)}."),
            parameter("endpoint", "An endpoint that runs it."),
        ],
        responses={200: listed(ShownModel), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        asked = request.GET
        models = CatalogModel.objects.prefetch_related("aliases")
        if "name" in asked:
            models = models.filter(name=asked["name"])
        state = choice_parameter(asked, "state", MODEL_STATES)
        if state is not None:
            models = models.filter(MODEL_STATES[state])
        if "endpoint" in asked:
            models = models.filter(pk__in=_run_by(asked["endpoint"]))
        rows, cursor = page_of(request, models)
        return self.page([_shown_model(model) for model in rows], cursor)

    @extend_schema(summary="Read a model", responses={200: ShownModel, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(_shown_model(_model_with_id(pk)))

    @extend_schema(
        summary="Enable or disable a model",
        request=ModelChange,
        responses={200: ShownModel, **problems(404, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        values = self.given(ModelChange, request)
        with changing_catalog():
            model = _model_with_id(pk)
            check_if_match(request, _shown_model(model))
            changed = [name for name in values if getattr(model, name) != values[name]]
            told = [f"{name}: {getattr(model, name)} → {values[name]}" for name in changed]
            for name in changed:
                setattr(model, name, values[name])
            if changed:
                model.save(update_fields=changed)
                note_change(model, self.by_id, f"{'; '.join(told)}.")
            shown = _shown_model(_model_with_id(pk))
        return self.one(shown)


class AliasView(View):
    family = "catalog"
    filters = ("alias",)

    @extend_schema(
        summary="List aliases",
        parameters=[*LIST, parameter("alias", "The whole alias.")],
        responses={200: listed(ShownAlias), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        aliases = Alias.objects.select_related("target").prefetch_related("fallbacks__target")
        if "alias" in request.GET:
            aliases = aliases.filter(alias=request.GET["alias"])
        rows, cursor = page_of(request, aliases)
        return self.page([_shown_alias(alias) for alias in rows], cursor)

    @extend_schema(
        summary="Make an alias",
        request=NewAlias,
        responses={201: ShownAlias, **problems(422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewAlias, request)
        with changing_catalog():
            if Alias.objects.filter(alias=values["alias"]).exists():
                raise bad_field("#/alias", "There is such an alias already.")
            names = [values["model"], *values.get("fallbacks", ())]
            try:
                alias, _ = point_alias(values["alias"], names)
            except (NoSuchModel, BadFallbacks) as error:
                raise _bad_models(error, values["model"]) from None
            alias = _alias_with_id(str(alias.pk))
            note_made(alias, self.by_id, f"{alias_line(alias)}.")
        return self.one(_shown_alias(alias), status=201, path=f"/aliases/{alias.pk}/")

    @extend_schema(summary="Read an alias", responses={200: ShownAlias, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(_shown_alias(_alias_with_id(pk)))

    @extend_schema(
        summary="Let an alias lead elsewhere",
        request=AliasChange,
        responses={200: ShownAlias, **problems(404, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        values = self.given(AliasChange, request)
        with changing_catalog():
            alias = _alias_with_id(pk)
            before = _shown_alias(alias)
            check_if_match(request, before)
            wanted = {**before, **values}
            try:
                set_alias(alias, [wanted["model"], *wanted["fallbacks"]])
            except (NoSuchModel, BadFallbacks) as error:
                raise _bad_models(error, wanted["model"]) from None
            alias = _alias_with_id(pk)
            if _shown_alias(alias) != before:
                note_change(alias, self.by_id, f"{alias_line(alias)}.")
        return self.one(_shown_alias(alias))

    @extend_schema(summary="Remove an alias", responses={204: None, **problems(404, 412)})
    def destroy(self, request: Any, pk: str) -> Response:
        with changing_catalog():
            alias = _alias_with_id(pk)
            check_if_match(request, _shown_alias(alias))
            note_deleted(alias, self.by_id)
            alias.delete()
        return Response(status=204)


class RefreshView(View):
    family = "catalog"

    @extend_schema(
        summary="List refreshes of the catalog",
        parameters=[*LIST],
        responses={200: listed(ShownRefresh), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        rows, cursor = page_of(request, RefreshRun.objects.all())
        return self.page([_shown_refresh(run) for run in rows], cursor)

    @extend_schema(
        summary="Begin a refresh of the catalog",
        description="It goes on in the background: read it again until it is over.",
        request=NoFields,
        responses={202: ShownRefresh, **problems(409)},
    )
    def create(self, request: Any) -> Response:
        self.given(NoFields, request)
        run = RefreshRun.begin_from_admin()
        if run is None:
            raise conflict("A refresh is running already.")
        # Once the run itself is stored, which an Idempotency-Key puts into a larger transaction.
        transaction.on_commit(lambda: in_background.start(run))
        return self.one(_shown_refresh(run), status=202, path=f"/refreshes/{run.pk}/")

    @extend_schema(summary="Read a refresh", responses={200: ShownRefresh, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        run = RefreshRun.objects.filter(pk=pk).first()
        if run is None:
            raise not_found("There is no such refresh.")
        return self.one(_shown_refresh(run))


def _model_with_id(pk: str) -> CatalogModel:
    model = CatalogModel.objects.prefetch_related("aliases").filter(pk=pk).first()
    if model is None:
        raise not_found("There is no such model.")
    return model


def _alias_with_id(pk: str) -> Alias:
    aliases = Alias.objects.select_related("target").prefetch_related("fallbacks__target")
    alias = aliases.filter(pk=pk).first()
    if alias is None:
        raise not_found("There is no such alias.")
    return alias


def _run_by(endpoint: str) -> list[int]:
    # SQLite cannot search in JSON lists, and the catalog has a hundred rows.
    rows = CatalogModel.objects.values_list("pk", "classification__endpoints")
    return [pk for pk, endpoints in rows if endpoint in (endpoints or ())]


def _bad_models(error: Exception, model: str) -> Exception:
    is_first = isinstance(error, NoSuchModel) and error.name == model
    return bad_field("#/model" if is_first else "#/fallbacks", str(error))
