"""Teams, and who is in them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from keys.holder_changes import change_holder
from keys.key_history import note_change, note_made
from keys.key_json import iso
from keys.limit_holders import holder_of_team
from keys.limits_json import limits_of
from keys.models import Membership, Team
from keys.teams import NotPossible, change_team, delete_team, join, leave, make_team
from management_api.base import View, changing_keys
from management_api.described import LIST, listed, parameter, problems
from management_api.etags import check_if_match
from management_api.fields import Fields, IdField, TextField
from management_api.limit_fields import LimitFields, shown_limits, written
from management_api.paging import page_of
from management_api.problems import bad_field, conflict, not_found
from management_api.resources.owners import account_with_id


class TeamChange(Fields):
    name = TextField(max_length=120, required=False)
    notes = TextField(
        max_length=10_000, required=False, allow_blank=True, help_text="For operators only."
    )
    uses_reserve = serializers.BooleanField(
        required=False, help_text="Whether its members' keys may use the reserved neurons of a day."
    )
    limits = LimitFields(required=False, help_text="Over all keys of the members.")


class NewTeam(TeamChange):
    name = TextField(max_length=120)


class MemberChange(Fields):
    lead = serializers.BooleanField(
        required=False, help_text="Left out: a member stays what they are, a new one is no lead."
    )


class ShownTeam(serializers.Serializer[Any]):
    id = IdField()
    name = serializers.CharField()
    notes = serializers.CharField()
    uses_reserve = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    limits = LimitFields()


class ShownMember(serializers.Serializer[Any]):
    owner_id = IdField()
    username = serializers.CharField()
    lead = serializers.BooleanField()
    active = serializers.BooleanField()
    joined_at = serializers.DateTimeField()


def shown_team(team: Team) -> dict[str, Any]:
    return {
        "id": team.pk,
        "name": team.name,
        "notes": team.notes,
        "uses_reserve": team.uses_reserve,
        "created_at": iso(team.created_at),
        "limits": shown_limits(limits_of(holder_of_team(team))),
    }


def shown_member(member: Membership) -> dict[str, Any]:
    return {
        "owner_id": member.user_id,
        "username": member.user.get_username(),
        "lead": member.is_lead,
        "active": member.user.is_active,
        "joined_at": iso(member.joined_at),
    }


def team_with_id(pk: str) -> Team:
    """Raises Problem."""
    team = Team.objects.filter(pk=pk).first()
    if team is None:
        raise not_found("There is no such team.")
    return team


class TeamView(View):
    family = "teams"
    filters = ("name",)
    paged = ("members",)

    @extend_schema(
        summary="List teams",
        parameters=[*LIST, parameter("name", "The whole name.")],
        responses={200: listed(ShownTeam), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        teams: QuerySet[Team] = Team.objects.all()
        if "name" in request.GET:
            teams = teams.filter(name=request.GET["name"])
        rows, cursor = page_of(request, teams)
        return self.page([shown_team(team) for team in rows], cursor)

    @extend_schema(
        summary="Make a team", request=NewTeam, responses={201: ShownTeam, **problems(422)}
    )
    def create(self, request: Any) -> Response:
        values = self.given(NewTeam, request)
        with changing_keys():
            limits = written(values.pop("limits", {}))
            team, was_made = make_team(**values)
            if not was_made:
                raise bad_field("#/name", "There is a team of this name.")
            note_made(team, self.by_id, "Made.")
            change_holder(holder_of_team(team), limits, by_id=self.by_id)
            shown = shown_team(team)
        return self.one(shown, status=201, path=f"/teams/{team.pk}/")

    @extend_schema(summary="Read a team", responses={200: ShownTeam, **problems(404)})
    def retrieve(self, request: Any, pk: str) -> Response:
        return self.one(shown_team(team_with_id(pk)))

    @extend_schema(
        summary="Change what is named of a team",
        request=TeamChange,
        responses={200: ShownTeam, **problems(404, 412, 422)},
    )
    def partial_update(self, request: Any, pk: str) -> Response:
        values = self.given(TeamChange, request)
        limits = values.pop("limits", {})
        with changing_keys():
            team = team_with_id(pk)
            check_if_match(request, shown_team(team))
            more = change_team(team, values) if values else []
            holder = holder_of_team(team)
            change_holder(holder, written(limits, holder), by_id=self.by_id, more=more)
            shown = shown_team(team)
        return self.one(shown)

    @extend_schema(
        summary="Delete a team",
        description="Its members and their keys stay; what was used stays on record.",
        responses={204: None, **problems(404, 412)},
    )
    def destroy(self, request: Any, pk: str) -> Response:
        with changing_keys():
            team = team_with_id(pk)
            check_if_match(request, shown_team(team))
            delete_team(team, self.by_id)
        return Response(status=204)

    @extend_schema(
        summary="List the members of a team",
        parameters=[*LIST],
        responses={200: listed(ShownMember), **problems(400, 404)},
    )
    @action(detail=True, methods=["get"])
    def members(self, request: Any, pk: str) -> Response:
        members = team_with_id(pk).memberships.select_related("user")
        rows, cursor = page_of(request, members)
        return self.page([shown_member(member) for member in rows], cursor)

    @extend_schema(
        summary="Read a member of a team",
        operation_id="teams_member_retrieve",
        responses={200: ShownMember, **problems(404)},
    )
    @action(detail=True, methods=["get"], url_path="members/(?P<owner_id>[0-9]{1,18})")
    def member(self, request: Any, pk: str, owner_id: str) -> Response:
        return self.one(shown_member(_member(team_with_id(pk), owner_id)))

    @extend_schema(
        summary="Put an owner into a team, or change whether they lead it",
        operation_id="teams_member_update",
        request=MemberChange,
        responses={200: ShownMember, **problems(404, 409, 422)},
    )
    @member.mapping.put
    def put_member(self, request: Any, pk: str, owner_id: str) -> Response:
        as_lead = self.given(MemberChange, request).get("lead")
        with changing_keys():
            team, account = team_with_id(pk), account_with_id(owner_id)
            try:
                told = join(team, account, as_lead=as_lead)
            except NotPossible as error:
                raise conflict(f"{str(error).rstrip('.')}.") from None
            if told:
                note_change(team, self.by_id, told)
            shown = shown_member(_member(team, owner_id))
        return self.one(shown)

    @extend_schema(
        summary="Take an owner out of a team, with their keys",
        operation_id="teams_member_destroy",
        responses={204: None, **problems(404)},
    )
    @member.mapping.delete
    def delete_member(self, request: Any, pk: str, owner_id: str) -> Response:
        with changing_keys():
            team = team_with_id(pk)
            member = _member(team, owner_id)
            note_change(team, self.by_id, leave(team, member.user))
        return Response(status=204)


def _member(team: Team, owner_id: str) -> Membership:
    member = team.memberships.select_related("user").filter(user_id=owner_id).first()
    if member is None:
        raise not_found("There is no such member of this team.")
    return member
