"""What was used, by day or month and any of key, owner, team, model, endpoint and person."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from keys.reports.month_report import Line
from keys.reports.usage_lines import (
    DIMENSIONS,
    MOST_LINES,
    OF_TEAMS,
    PERIODS,
    TooManyLines,
    usage_lines,
)
from management_api.base import View
from management_api.described import LIST, parameter, problems
from management_api.fields import IdField
from management_api.paging import cursor_number, cursor_of, page_size
from management_api.parameters import id_parameter
from management_api.problems import bad_parameter

LONGEST: Final = timedelta(days=366)
_IDS: Final = ("key", "owner", "team")


class Figures(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    prompt_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    images = serializers.IntegerField()
    audio_seconds = serializers.FloatField()
    cost_usd = serializers.CharField(help_text="Exact.")
    neurons = serializers.CharField(help_text="Exact.")
    unpriced_requests = serializers.IntegerField(help_text="Requests whose cost is not known.")


class ShownUse(Figures):
    """Has the fields of what is asked for in `by`; null is what is of none."""

    day = serializers.DateField(required=False)
    month = serializers.CharField(required=False)
    key = serializers.CharField(required=False, allow_null=True)
    key_id = IdField(required=False, allow_null=True)
    owner = serializers.CharField(required=False, allow_null=True)
    owner_id = IdField(required=False, allow_null=True)
    team = serializers.CharField(required=False, allow_null=True)
    team_id = IdField(required=False, allow_null=True)
    model = serializers.CharField(required=False, allow_null=True)
    endpoint = serializers.CharField(required=False, allow_null=True)
    user = serializers.CharField(required=False, allow_null=True)


class UsagePage(serializers.Serializer[Any]):
    since = serializers.DateField()
    until = serializers.DateField()
    by = serializers.ListField(child=serializers.CharField())
    total = Figures(help_text="Of all pages.")
    data = ShownUse(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class UsageView(View):
    family = "usage"
    filters = ("since", "until", "by", *DIMENSIONS)

    @extend_schema(
        summary="Read what was used",
        operation_id="usage_list",
        parameters=[
            *LIST,
            parameter("since", "The first day (UTC); the first of the month of `until`."),
            parameter("until", "The last day (UTC), included; today."),
            parameter("by", "With commas: day or month, and key, owner, team, model, endpoint, "
                            "user. Endpoints not together with teams and users."),
            *(parameter(name, f"Only of this {name}, by its id." if name in _IDS
                        else f"Only of this {name}.") for name in DIMENSIONS),
        ],
        responses={200: forced_singular_serializer(UsagePage), **problems(400)},
    )  # fmt: skip
    def list(self, request: Any) -> Response:
        asked = request.GET
        until = _day(asked, "until") or datetime.now(UTC).date()
        since = _day(asked, "since") or until.replace(day=1)
        if since > until:
            raise bad_parameter("since", f"'since' ({since}) is after 'until' ({until}).")
        if until - since > LONGEST or until.year > 9000:
            raise bad_parameter("since", f"It takes {LONGEST.days} days at most.")
        by, of = _by(asked), _of(asked)
        if "endpoint" in {*by, *of} and OF_TEAMS & {*by, *of}:
            raise bad_parameter("by", "Endpoints are not counted by team and user.")
        size, begin = page_size(request), cursor_number(request) or 0
        try:
            lines, total = usage_lines(since, until, by, of)
        except TooManyLines:
            told = f"These are more than {MOST_LINES} lines: ask for fewer days, or by less."
            raise bad_parameter("by", told) from None
        end = begin + size
        return Response(
            {
                "since": since.isoformat(),
                "until": until.isoformat(),
                "by": by,
                "total": Line({}, total).as_json(),
                "data": [line.as_json() for line in lines[begin:end]],
                "next_cursor": cursor_of(str(end)) if len(lines) > end else None,
            }
        )


def _day(asked: Any, name: str) -> date | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_parameter(name, f"{name!r} takes a day such as 2026-11-30.") from None


def _by(asked: Any) -> list[str]:
    names = [name for name in asked.get("by", "").split(",") if name]
    known = (*PERIODS, *DIMENSIONS)
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) < len(names) or {*PERIODS} <= {*names}:
        raise bad_parameter(
            "by", f"'by' takes day or month and any of {', '.join(DIMENSIONS)}, each once."
        )
    return names


def _of(asked: Any) -> dict[str, Any]:
    return {
        name: id_parameter(asked, name) if name in _IDS else asked[name]
        for name in DIMENSIONS
        if name in asked
    }
