"""Limits, each by itself: whose, what is counted, in which window, on which models, how much."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from keys.held_limits import HeldLimit, Subject, of_columns
from keys.holder_changes import change_holder
from keys.limit_holders import LimitHolder
from keys.models import usual_amount
from keys.reports.limit_use import read_use
from keys.reports.limits_in_force import limits_of_one
from keys.scopes import NO_LIMITS
from keys.written_limits import BadLimit, LimitKind, WrittenLimit
from management_api.base import View, changing_keys
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import Fields, amount_from_json
from management_api.paging import cursor_number, cursor_of, page_size
from management_api.problems import bad_field, bad_parameter, conflict, sentence
from management_api.scopes import family_of_holder, scope_for
from management_api.subjects import (
    ShownSubject,
    SubjectFields,
    holder_asked,
    holder_given,
    kind_given,
    limit_id,
    no_such_limit,
    shown_subject,
    subject_with_id,
)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "number"}]})
class AnyAmount(serializers.JSONField):
    """A count as a number; USD and neurons as exact text, or a number."""


class LimitChange(Fields):
    amount = AnyAmount(help_text="A whole number; USD and neurons as text: '12.50'.")


class NewLimit(SubjectFields):
    amount = AnyAmount(help_text="A whole number; USD and neurons as text: '12.50'.")


class ShownLimit(ShownSubject):
    id = serializers.CharField()
    amount = AnyAmount()
    in_force = AnyAmount(help_text="The amount with the raises that are in force now.")
    used = AnyAmount(allow_null=True, help_text="Null for minutes, requests at once and users.")
    reserved = AnyAmount(help_text="What running requests may use in addition.")
    remaining = AnyAmount(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)


class LimitView(View):
    lookup_value_regex = "[a-z0-9-]{1,80}"
    filters = ("holder_type", "holder_id")

    @extend_schema(
        summary="List the limits of a holder",
        parameters=[
            *LIST,
            parameter("holder_type", "key, owner, team, everybody or user.", required=True),
            parameter("holder_id", "Of the key, owner or team."),
        ],
        responses={200: listed(ShownLimit), **problems(400, 404)},
    )
    def list(self, request: Any) -> Response:
        self._require(request.GET.get("holder_type", ""))
        holder = holder_asked(request.GET)
        if holder is None:
            raise bad_parameter("holder_type", "'holder_type' is missing.")
        size, begin = page_size(request), cursor_number(request) or 0
        shown = _shown(holder)
        end = begin + size
        cursor = cursor_of(str(end)) if len(shown) > end else None
        return self.page(shown[begin:end], cursor)

    @extend_schema(
        summary="Set a limit that there is not yet",
        request=NewLimit,
        responses={201: ShownLimit, **problems(409, 422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewLimit, request)
        self._require(values["holder_type"])
        kind = kind_given(values)
        amount = amount_given(kind, values["amount"])
        with changing_keys():
            holder = holder_given(values)
            subject = holder.subject(kind.what, kind.window, values.get("models", ()))
            if usual_amount(subject) is not None:
                raise conflict(f"There is such a limit already: PATCH {limit_id(subject)}.")
            self._set(holder, subject, amount)
            shown = _shown_one(holder, subject)
        return self.one(shown, status=201, path=f"/limits/{shown['id']}/")

    @extend_schema(summary="Read a limit", responses={200: ShownLimit, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        self._require(pk.partition("-")[0])
        return self.one(_shown_one(*subject_with_id(pk)))

    @extend_schema(
        summary="Change the amount of a limit",
        request=LimitChange,
        responses={200: ShownLimit, **problems(404, 409, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        self._require(pk.partition("-")[0])
        told = self.given(LimitChange, request).get("amount")
        with changing_keys():
            holder, subject = subject_with_id(pk, as_read=False)
            check_if_match(request, _shown_one(holder, subject))
            if told is not None:
                self._set(holder, subject, amount_given(LimitKind.of(subject), told))
            shown = _shown_one(holder, subject)
        return self.one(shown)

    @extend_schema(summary="Take a limit away", responses={204: None, **problems(404, 409, 412)})
    def destroy(self, request: Any, pk: str) -> Response:
        self._require(pk.partition("-")[0])
        with changing_keys():
            holder, subject = subject_with_id(pk, as_read=False)
            check_if_match(request, _shown_one(holder, subject))
            self._set(holder, subject, None)
        return Response(status=204)

    def _require(self, holder_kind: str) -> None:
        family = family_of_holder(holder_kind)
        self.require(scope_for(family, str(self.request.method)))

    def _set(self, holder: LimitHolder, subject: Subject, amount: int | None) -> None:
        limit = WrittenLimit(LimitKind.of(subject), amount, subject.models)
        try:
            change_holder(holder, [limit], by_id=self.by_id)
        except BadLimit as error:
            raise bad_field("#", sentence(error)) from None


def amount_given(kind: LimitKind, told: Any, pointer: str = "#/amount") -> int:
    """Raises Problem."""
    try:
        return amount_from_json(kind, told)
    except serializers.ValidationError as error:
        raise bad_field(pointer, str(error.detail[0])) from None  # type: ignore[index]


def _shown_one(holder: LimitHolder, subject: Subject) -> dict[str, Any]:
    wanted = limit_id(subject)
    found = next((shown for shown in _shown(holder) if shown["id"] == wanted), None)
    if found is None:
        raise no_such_limit()
    return found


def _shown(holder: LimitHolder) -> list[dict[str, Any]]:
    columns = NO_LIMITS if holder.columns is None else holder.columns.limits
    usual: dict[Subject, HeldLimit] = {
        limit.subject: limit
        for limit in (
            *of_columns(holder.kind, holder.id, columns),
            *(row.held() for row in holder.rows),
        )
    }
    uses = read_use(limits_of_one(holder.kind, holder.id, columns))
    return [
        {
            "id": limit_id(use.limit.subject),
            **shown_subject(use.limit.subject, holder),
            "amount": told_amount(LimitKind.of(use.limit.subject), usual[use.limit.subject].amount),
            "in_force": told_amount(LimitKind.of(use.limit.subject), use.limit.amount),
            "used": told_amount(LimitKind.of(use.limit.subject), use.used),
            "reserved": told_amount(LimitKind.of(use.limit.subject), use.reserved),
            "remaining": told_amount(LimitKind.of(use.limit.subject), use.remaining),
            "resets_at": None if use.resets_at is None else use.resets_at.isoformat(),
        }
        for use in uses
    ]


def told_amount(kind: LimitKind, amount: int | None) -> int | str | None:
    """A count as a number; USD and neurons as exact text."""
    return amount if amount is None or kind.is_count else kind.unit.show(amount)
