"""Keys: made, read, listed, changed, rotated and revoked."""

from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from keys.amounts import duration_from_text
from keys.key_changes import change_key, issue_key, revoke_key, rotate_key
from keys.key_history import note_made
from keys.key_json import keys_as_json
from keys.key_states import KEY_STATES, of_state
from keys.limit_holders import holder_of_key, holder_of_users
from keys.models import Key
from keys.owners import make_account, owner_accounts
from management_api.base import View, changing_keys
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import Fields, IdField, MomentField, NoFields, TextField
from management_api.limit_fields import (
    KeyLimitFields,
    shown_limits,
    written,
    written_of_users,
)
from management_api.paging import page_of
from management_api.parameters import id_parameter
from management_api.problems import bad_field, bad_parameter, not_found

LONGEST_OVERLAP: Final = timedelta(days=365)
# Fields of requests → of the model.
_LISTS: Final = {
    "models": "allowed_models",
    "endpoints": "allowed_endpoints",
    "networks": "allowed_networks",
}


class KeyChange(Fields):
    name = TextField(max_length=120, required=False)
    owner = TextField(max_length=150, required=False, help_text="The owner's username.")
    notes = TextField(
        max_length=10_000, required=False, allow_blank=True, help_text="For operators only."
    )
    expires_at = MomentField(required=False, allow_null=True)
    queue_weight = IdField(min_value=1, max_value=100, required=False)
    uses_reserve = serializers.BooleanField(
        required=False, help_text="Whether it may use the reserved neurons of a day."
    )
    limits = KeyLimitFields(required=False)


class NewKey(KeyChange):
    name = TextField(max_length=120)
    owner = TextField(max_length=150, help_text="The owner's username; made when missing.")


class Rotation(Fields):
    overlap = TextField(
        max_length=12,
        default="24h",
        help_text="How long the old secret goes on working: 30m, 24h, 7d, 0s; a year at most.",
    )


class ShownKey(serializers.Serializer[Any]):
    id = IdField()
    name = serializers.CharField()
    owner = serializers.CharField(allow_null=True)
    owner_id = IdField(allow_null=True)
    prefix = serializers.CharField()
    last_four = serializers.CharField()
    state = serializers.ChoiceField(choices=KEY_STATES)
    static = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    notes = serializers.CharField()
    queue_weight = serializers.IntegerField()
    uses_reserve = serializers.BooleanField(
        help_text="Of this key itself; its owner's team may have it too."
    )
    limits = KeyLimitFields()


class KeyWithSecret(ShownKey):
    key = serializers.CharField(
        allow_null=True,
        help_text="The secret, in this answer only; null where the answer is repeated.",
    )


def shown_key(key: Key, text: str | None = None) -> dict[str, Any]:
    return _shown([key], text)[0]


def _shown(keys: list[Key], text: str | None = None) -> list[dict[str, Any]]:
    return [
        {
            **told,
            "owner_id": key.owner_id,
            "notes": key.notes,
            "queue_weight": key.queue_weight,
            "limits": shown_limits(told["limits"]),
        }
        for key, told in zip(keys, keys_as_json(keys, text), strict=True)
    ]


def key_with_id(pk: str) -> Key:
    """Read anew. Raises Problem."""
    key = Key.objects.select_related("owner").prefetch_related("secrets").filter(pk=pk).first()
    if key is None:
        raise not_found("There is no such key.")
    return key


class KeyView(View):
    family = "keys"
    filters = ("state", "owner", "team", "name", "prefix")

    @extend_schema(
        summary="List keys",
        parameters=[
            *LIST,
            parameter("state", f"One of {', '.join(KEY_STATES)}."),
            parameter("owner", "The owner's username."),
            parameter("team", "The id of the team that the owner is in."),
            parameter("name", "The key's whole name."),
            parameter("prefix", "The prefix that is shown of a key."),
        ],
        responses={200: listed(ShownKey), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        rows, cursor = page_of(request, self._filtered(request.GET))
        return self.page(_shown(rows), cursor)

    def _filtered(self, asked: Any) -> QuerySet[Key]:
        keys = Key.objects.select_related("owner").prefetch_related("secrets")
        state = asked.get("state")
        if state is not None:
            if state not in KEY_STATES:
                raise bad_parameter("state", f"'state' takes one of {', '.join(KEY_STATES)}.")
            keys = keys.filter(of_state(state))
        if "owner" in asked:
            keys = keys.filter(owner__username=asked["owner"])
        if "team" in asked:
            keys = keys.filter(owner__team_membership__team_id=id_parameter(asked, "team"))
        if "name" in asked:
            keys = keys.filter(name=asked["name"])
        if "prefix" in asked:
            keys = keys.filter(pk__in=Key.objects.filter(secrets__prefix=asked["prefix"]))
        return keys

    @extend_schema(
        summary="Issue a key",
        request=NewKey,
        responses={201: KeyWithSecret, **problems(409, 422)},
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewKey, request)
        limits = values.pop("limits", {})
        owner_name = values.pop("owner")
        fields = _fields(values, limits)
        with changing_keys():
            key, text = issue_key(
                name=fields.pop("name"),
                owner=self._owner_of_new(owner_name),
                fields=fields,
                limits=written(limits),
                user_limits=written_of_users(limits),
                by_id=self.by_id,
            )
            shown = shown_key(key_with_id(str(key.pk)), text)
        return self.one(shown, status=201, path=f"/keys/{key.pk}/")

    def _owner_of_new(self, username: str) -> Any:
        """As `issue_key` has it, whoever a key is for is made when missing."""
        try:
            owner, was_made = make_account(username)
        except ValidationError as error:
            raise bad_field("#/owner", error.messages[0]) from None
        if was_made:
            note_made(owner, self.by_id, "Made.")
        return owner_with_name(username)

    @extend_schema(summary="Read a key", responses={200: ShownKey, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(shown_key(key_with_id(pk)))

    @extend_schema(
        summary="Change what is named of a key",
        request=KeyChange,
        responses={200: ShownKey, **problems(404, 409, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        values = self.given(KeyChange, request)
        limits = values.pop("limits", {})
        fields = _fields(values, limits)
        with changing_keys():
            key = key_with_id(pk)
            check_if_match(request, shown_key(key))
            change_key(
                key,
                fields=fields,
                limits=written(limits, holder_of_key(key)),
                user_limits=written_of_users(limits, holder_of_users(key)),
                by_id=self.by_id,
            )
            shown = shown_key(key_with_id(pk))
        return self.one(shown)

    @extend_schema(
        summary="Give a key a new secret",
        request=Rotation,
        responses={200: KeyWithSecret, **problems(404, 409, 412, 422)},
    )
    @action(detail=True, methods=["post"])
    def rotate(self, request: Any, pk: str) -> Response:
        overlap_text = self.given(Rotation, request)["overlap"]
        try:
            overlap = duration_from_text(overlap_text)
        except ValueError:
            overlap = timedelta.max
        if overlap > LONGEST_OVERLAP:
            raise bad_field("#/overlap", "It takes a time such as 30m, 24h or 7d, up to a year.")
        with changing_keys():
            key = key_with_id(pk)
            check_if_match(request, shown_key(key))
            text = rotate_key(key, overlap, by_id=self.by_id, overlap_text=overlap_text)
            shown = shown_key(key_with_id(pk), text)
        return self.one(shown)

    @extend_schema(
        summary="Revoke a key for good",
        request=NoFields,
        responses={200: ShownKey, **problems(404, 412)},
    )
    @action(detail=True, methods=["post"])
    def revoke(self, request: Any, pk: str) -> Response:
        self.given(NoFields, request)
        with changing_keys():
            key = key_with_id(pk)
            check_if_match(request, shown_key(key))
            revoke_key(key, by_id=self.by_id)
            shown = shown_key(key_with_id(pk))
        return self.one(shown)


def owner_with_name(username: str, pointer: str = "#/owner") -> Any:
    owner = owner_accounts().filter(username=username).first()
    if owner is None:
        raise bad_field(pointer, "There is no account of this name: POST /api/owners/ makes one.")
    return owner


def _fields(values: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Key` that a request names."""
    fields = {**values, **{_LISTS[name]: limits[name] for name in _LISTS if name in limits}}
    if "owner" in fields:
        fields["owner"] = owner_with_name(fields["owner"])
    return fields
