"""Raises of limits, which end by themselves, and those that members ask for."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from keys import raise_requests
from keys.key_json import iso
from keys.limit_holders import holder_with
from keys.models import Raise, RaiseRequest
from keys.models.raise_request import GRANTED, OPEN, REFUSED, WITHDRAWN
from keys.raises import end_raise, make_raise
from keys.written_limits import BadLimit, LimitKind, WrittenRaise
from management_api.base import View, changing_keys
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import IdField, MomentField, NoFields, TextField
from management_api.paging import page_of
from management_api.parameters import choice_parameter, yes_parameter
from management_api.problems import Problem, bad_field, conflict, not_found, sentence
from management_api.resources.keys import key_with_id
from management_api.resources.limits import AnyAmount, amount_given, told_amount
from management_api.scopes import family_of_holder, scope_for
from management_api.subjects import (
    ShownSubject,
    SubjectFields,
    holder_asked,
    holder_given,
    kind_given,
    shown_subject,
)

_STATES = (OPEN, GRANTED, REFUSED, WITHDRAWN)
_OF_KEYS = ("key", "owner", "everybody", "user")


class NewRaise(SubjectFields):
    amount = AnyAmount(required=False, help_text="To this amount; or `plus`.")
    plus = AnyAmount(required=False, help_text="By this amount; or `amount`.")
    until = MomentField()
    why = TextField(max_length=500)


class ShownRaise(ShownSubject):
    id = IdField()
    amount = AnyAmount(allow_null=True)
    plus = AnyAmount(allow_null=True)
    until = serializers.DateTimeField()
    why = serializers.CharField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    in_force = serializers.BooleanField()


class NewRaiseRequest(SubjectFields):
    key_id = IdField(help_text="The key whose owner asks; the limit has to hold for it.")
    plus = AnyAmount()
    until = MomentField()
    why = TextField(max_length=300)


class ShownRaiseRequest(ShownSubject):
    id = IdField()
    plus = AnyAmount()
    until = serializers.DateTimeField()
    why = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    request_state = serializers.ChoiceField(choices=_STATES)
    decided_by = serializers.CharField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    raise_id = IdField(allow_null=True)


class OfHolders(View):
    """Objects whose scope is that of their holder."""

    def require_for(self, holder_kind: str) -> None:
        self.require(scope_for(family_of_holder(holder_kind), str(self.request.method)))

    def readable(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those that the token may read. Raises Problem where it may read none."""
        if "keys:read" not in self.token.scopes:
            self.require("teams:read")
            return rows.exclude(holder_kind__in=_OF_KEYS)
        if "teams:read" not in self.token.scopes:
            return rows.exclude(holder_kind="team")
        return rows

    def of_holder(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.request.GET
        if "holder_type" in asked:
            self.require_for(asked["holder_type"])
        holder = holder_asked(asked)
        if holder is None:
            return rows
        return rows.filter(holder_kind=holder.kind, holder_id=holder.id)


_FILTERS = [
    *LIST,
    parameter("holder_type", "key, owner, team, everybody or user."),
    parameter("holder_id", "Of the key, owner or team."),
]


class RaiseView(OfHolders):
    filters = ("holder_type", "holder_id", "in_force")

    @extend_schema(
        summary="List raises",
        parameters=[*_FILTERS, parameter("in_force", "true or false.")],
        responses={200: listed(ShownRaise), **problems(400, 404)},
    )
    def list(self, request: Any) -> Response:
        rows = self.readable(self.of_holder(Raise.objects.all()))
        in_force = yes_parameter(request.GET, "in_force")
        if in_force is not None:
            current = Raise.in_force().values("pk")
            rows = rows.filter(pk__in=current) if in_force else rows.exclude(pk__in=current)
        found, cursor = page_of(request, rows)
        return self.page([_shown_raise(one) for one in found], cursor)

    @extend_schema(
        summary="Raise a limit until a moment",
        request=NewRaise,
        responses={201: ShownRaise, **problems(422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewRaise, request)
        self.require_for(values["holder_type"])
        kind = kind_given(values)
        if ("amount" in values) == ("plus" in values):
            raise bad_field("#", "It takes one of 'amount' and 'plus'.")
        is_added = "plus" in values
        pointer = "plus" if is_added else "amount"
        amount = amount_given(kind, values[pointer], f"#/{pointer}")
        _refuse_past(values["until"])
        with changing_keys():
            holder = holder_given(values)
            models = tuple(values.get("models", ()))
            wish = WrittenRaise(kind, amount, is_added, models)
            by, until, why = self.token.account, values["until"], values["why"]
            try:
                made = make_raise(holder, wish, until=until, why=why, by=by)
            except BadLimit as error:
                raise bad_field("#", sentence(error)) from None
            shown = _shown_raise(made)
        return self.one(shown, status=201, path=f"/raises/{made.pk}/")

    @extend_schema(summary="Read a raise", responses={200: ShownRaise, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(_shown_raise(self._found(pk)))

    @extend_schema(
        summary="End a raise now",
        request=NoFields,
        responses={200: ShownRaise, **problems(404, 412)},
    )
    @action(detail=True, methods=["post"])
    def end(self, request: Any, pk: str) -> Response:
        self.given(NoFields, request)
        with changing_keys():
            one = self._found(pk)
            check_if_match(request, _shown_raise(one))
            end_raise(one, self.token.account)
            shown = _shown_raise(self._found(pk))
        return self.one(shown)

    def _found(self, pk: str) -> Raise:
        one = Raise.objects.filter(pk=pk).first()
        _hide(self, one)
        assert one is not None
        return one


class RaiseRequestView(OfHolders):
    filters = ("holder_type", "holder_id", "state")

    @extend_schema(
        summary="List raises that members ask for",
        parameters=[*_FILTERS, parameter("state", f"One of {', '.join(_STATES)}.")],
        responses={200: listed(ShownRaiseRequest), **problems(400, 404)},
    )
    def list(self, request: Any) -> Response:
        rows = self.readable(self.of_holder(RaiseRequest.objects.select_related("asked_by")))
        state = choice_parameter(request.GET, "state", _STATES)
        if state is not None:
            rows = rows.filter(state=state)
        found, cursor = page_of(request, rows)
        return self.page([_shown_request(asked) for asked in found], cursor)

    @extend_schema(
        summary="Ask for a raise, as the owner of a key",
        request=NewRaiseRequest,
        responses={201: ShownRaiseRequest, **problems(409, 422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewRaiseRequest, request)
        # Of whatever limit it is, a member's key asks.
        self.require("keys:write")
        kind = kind_given(values)
        plus = amount_given(kind, values["plus"], "#/plus")
        _refuse_past(values["until"])
        with changing_keys():
            holder = holder_given(values)
            subject = holder.subject(kind.what, kind.window, values.get("models", ()))
            try:
                key = key_with_id(str(values["key_id"]))
            except Problem:
                raise bad_field("#/key_id", "There is no such key.") from None
            if key.owner is None or key.state() != "active":
                raise bad_field("#/key_id", "This key is not in force, or has no owner.")
            limits = raise_requests.limits_to_raise(key).values()
            limit = next((one for one in limits if one.subject == subject), None)
            if limit is None:
                raise bad_field("#", "There is no such limit that holds for this key.")
            try:
                asked = raise_requests.ask(
                    key.owner, limit, plus=plus, until=values["until"], why=values["why"]
                )
            except raise_requests.NotPossible as error:
                raise conflict(str(error)) from None
            shown = _shown_request(asked)
        return self.one(shown, status=201, path=f"/raise-requests/{asked.pk}/")

    @extend_schema(
        summary="Read a raise that is asked for",
        responses={200: ShownRaiseRequest, **problems(404)},
    )
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(_shown_request(self._found(pk)))

    @extend_schema(
        summary="Grant what is asked for",
        request=NoFields,
        responses={200: ShownRaiseRequest, **problems(404, 409, 412)},
    )
    @action(detail=True, methods=["post"])
    def grant(self, request: Any, pk: str) -> Response:
        return self._decide(pk, raise_requests.grant)

    @extend_schema(
        summary="Refuse what is asked for",
        request=NoFields,
        responses={200: ShownRaiseRequest, **problems(404, 409, 412)},
    )
    @action(detail=True, methods=["post"])
    def refuse(self, request: Any, pk: str) -> Response:
        return self._decide(pk, raise_requests.refuse)

    def _decide(self, pk: str, decide: Callable[[RaiseRequest, Any], None]) -> Response:
        self.given(NoFields, self.request)
        with changing_keys():
            asked = self._found(pk)
            check_if_match(self.request, _shown_request(asked))
            try:
                decide(asked, self.token.account)
            except (raise_requests.NotPossible, BadLimit) as error:
                raise conflict(sentence(error)) from None
            shown = _shown_request(self._found(pk))
        return self.one(shown)

    def _found(self, pk: str) -> RaiseRequest:
        asked = RaiseRequest.objects.select_related("asked_by").filter(pk=pk).first()
        _hide(self, asked)
        assert asked is not None
        return asked


def _hide(view: OfHolders, found: Raise | RaiseRequest | None) -> None:
    """A token without any scope for it hears of the scope, whether there is one or not."""
    if found is None:
        method = str(view.request.method)
        needed = {scope_for(family, method) for family in ("keys", "teams")}
        if not needed & set(view.token.scopes):
            view.require(*sorted(needed))
        raise not_found("There is no such raise.")
    view.require_for(found.holder_kind)


def _refuse_past(until: Any) -> None:
    if until <= timezone.now():
        raise bad_field("#/until", "This moment is over: choose a later one.")


def _shown_raise(one: Raise) -> dict[str, Any]:
    kind = LimitKind.of(one.subject)
    return {
        "id": one.pk,
        **shown_subject(one.subject, holder_with(one.subject)),
        "amount": told_amount(kind, one.amount),
        "plus": told_amount(kind, one.plus),
        "until": iso(one.until),
        "why": one.why,
        "made_by": one.made_by_name,
        "made_at": iso(one.made_at),
        "ended_at": iso(one.ended_at),
        "in_force": one.ended_at is None and one.until > timezone.now(),
    }


def _shown_request(asked: RaiseRequest) -> dict[str, Any]:
    return {
        "id": asked.pk,
        **shown_subject(asked.subject, holder_with(asked.subject)),
        "plus": told_amount(LimitKind.of(asked.subject), asked.plus),
        "until": iso(asked.until),
        "why": asked.why,
        "asked_by": asked.asked_by.get_username(),
        "asked_at": iso(asked.asked_at),
        "request_state": asked.state,
        "decided_by": asked.decided_by_name or None,
        "decided_at": iso(asked.decided_at),
        "raise_id": asked.made_id,
    }
