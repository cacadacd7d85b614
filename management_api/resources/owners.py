"""Owners of keys: accounts, and the limits over all keys of each.

Names, addresses and passwords are not changed here, nor are operators: who may write keys does not
become one that way.
"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from keys.holder_changes import change_holder
from keys.key_history import note_made
from keys.limit_holders import holder_of_owner
from keys.models import OwnerLimits
from keys.owners import (
    MOST_KEYS,
    activate,
    deactivate,
    make_account,
    owner_accounts,
    owner_as_json,
    set_most_keys,
)
from management_api.base import View, changing_keys
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import Fields, IdField, TextField
from management_api.limit_fields import LimitFields, shown_limits, written
from management_api.paging import page_of
from management_api.parameters import id_parameter, yes_parameter
from management_api.problems import bad_field, conflict, not_found


class OwnerChange(Fields):
    active = serializers.BooleanField(
        required=False, help_text="False ends sessions and keys within 5 seconds."
    )
    max_keys = IdField(
        min_value=0,
        max_value=MOST_KEYS,
        required=False,
        allow_null=True,
        help_text="Keys of their own making; null: MEMBER_MAX_KEYS of the settings.",
    )
    limits = LimitFields(required=False, help_text="Over all keys of the owner.")


class NewOwner(OwnerChange):
    username = TextField(max_length=150)


class ShownOwner(serializers.Serializer[Any]):
    id = IdField()
    username = serializers.CharField()
    active = serializers.BooleanField()
    operator = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    team = serializers.CharField(allow_null=True)
    team_id = IdField(allow_null=True)
    lead = serializers.BooleanField()
    max_keys = serializers.IntegerField(allow_null=True)
    limits = LimitFields()


def account_with_id(pk: str) -> Any:
    """Read anew. Raises Problem."""
    accounts = owner_accounts().select_related("key_limits", "team_membership__team")
    account = accounts.filter(pk=pk).first()
    if account is None:
        raise not_found("There is no such owner.")
    return account


def shown_owner(account: Any) -> dict[str, Any]:
    told = owner_as_json(account)
    return {**told, "limits": shown_limits(told["limits"])}


class OwnerView(View):
    family = "keys"
    filters = ("username", "team", "active")

    @extend_schema(
        summary="List owners",
        parameters=[
            *LIST,
            parameter("username", "The whole name."),
            parameter("team", "The id of a team."),
            parameter("active", "true or false."),
        ],
        responses={200: listed(ShownOwner), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        asked = request.GET
        accounts = owner_accounts().select_related("key_limits", "team_membership__team")
        if "username" in asked:
            accounts = accounts.filter(username=asked["username"])
        if "team" in asked:
            accounts = accounts.filter(team_membership__team_id=id_parameter(asked, "team"))
        active = yes_parameter(asked, "active")
        if active is not None:
            accounts = accounts.filter(is_active=active)
        rows, cursor = page_of(request, accounts)
        return self.page([shown_owner(account) for account in rows], cursor)

    @extend_schema(
        summary="Make an owner",
        description="An account that nobody can sign in to with a password; single sign-on may.",
        request=NewOwner,
        responses={201: ShownOwner, **problems(409, 422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewOwner, request)
        with changing_keys():
            account, was_made = make_account(values["username"])
            if not was_made:
                raise bad_field("#/username", "There is an account of this name already.")
            note_made(account, self.by_id, "Made.")
            self._change(account, values)
            shown = shown_owner(account_with_id(str(account.pk)))
        return self.one(shown, status=201, path=f"/owners/{account.pk}/")

    @extend_schema(summary="Read an owner", responses={200: ShownOwner, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(shown_owner(account_with_id(pk)))

    @extend_schema(
        summary="Change what is named of an owner",
        request=OwnerChange,
        responses={200: ShownOwner, **problems(404, 409, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        values = self.given(OwnerChange, request)
        with changing_keys():
            account = account_with_id(pk)
            check_if_match(request, shown_owner(account))
            self._change(account, values)
            shown = shown_owner(account_with_id(pk))
        return self.one(shown)

    def _change(self, account: Any, values: dict[str, Any]) -> None:
        if values.get("active", account.is_active) != account.is_active:
            self._switch(account, values["active"])
        limits = values.get("limits", {})
        if "max_keys" in values or limits:
            holder = holder_of_owner(account)
            record = holder.record
            assert isinstance(record, OwnerLimits)
            more = set_most_keys(record, values["max_keys"]) if "max_keys" in values else []
            change_holder(holder, written(limits, holder), by_id=self.by_id, more=more)

    def _switch(self, account: Any, active: bool) -> None:
        if account.is_staff or account.is_superuser:
            raise conflict(
                "This account is an operator's: whether it is active is decided in the admin."
            )
        if active:
            activate(account, by_id=self.by_id, told="Made active.")
        else:
            revoked = "Revoked: the owner was made inactive."
            deactivate(account, by_id=self.by_id, told="Made inactive.", revoked_told=revoked)
