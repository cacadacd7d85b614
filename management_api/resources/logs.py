"""Rows of the request log, newest first. No prompts and no answers."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from keys.amounts import moment_from_text
from keys.log.export import row_as_json
from keys.log.sought import FILTERS, sought
from keys.log.walk import Position, Sought, Walk
from management_api.base import View
from management_api.described import LIST, listed, parameter, problems
from management_api.paging import bad_cursor, cursor_of, cursor_text, page_size
from management_api.problems import bad_parameter

_WORDS = {
    "key": "By its id.",
    "owner": "By its id.",
    "team": "By its id: of those who were in it at the time.",
    "user": "The person behind a key, as the client named them.",
    "model": "The model that answered.",
    "status_class": "ok, failed, gone (the client), 4xx or 5xx.",
    "stream": "yes or no.",
    "day": "A day, or two with two dots between them: 2026-11-01..2026-11-30.",
}


class ShownRow(serializers.Serializer[Any]):
    """Amounts are exact text; what is not known is null."""

    started_at = serializers.DateTimeField()
    request_id = serializers.CharField()
    key = serializers.CharField()
    key_id = serializers.IntegerField(allow_null=True)
    key_prefix = serializers.CharField()
    owner = serializers.CharField()
    owner_id = serializers.IntegerField(allow_null=True)
    endpoint = serializers.CharField()
    requested_model = serializers.CharField()
    model = serializers.CharField()
    stream = serializers.BooleanField()
    status = serializers.IntegerField()
    error_code = serializers.CharField()
    error_message = serializers.CharField()
    finish_reason = serializers.CharField()
    end_reason = serializers.CharField()
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)
    cached_tokens = serializers.IntegerField(allow_null=True)
    reasoning_tokens = serializers.IntegerField(allow_null=True)
    images = serializers.IntegerField(allow_null=True)
    audio_seconds = serializers.FloatField(allow_null=True)
    cost_usd = serializers.CharField(allow_null=True)
    neurons = serializers.CharField(allow_null=True)
    usage_source = serializers.CharField()
    ttft_ms = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField()
    attempts = serializers.IntegerField()
    client_ip = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField()
    user = serializers.CharField()
    price = serializers.JSONField(allow_null=True)
    neurons_source = serializers.CharField()
    neurons_by_price = serializers.CharField(allow_null=True)
    team = serializers.CharField()
    team_id = serializers.IntegerField(allow_null=True)
    session = serializers.CharField()
    agent = serializers.CharField()
    waited_ms = serializers.IntegerField(allow_null=True)
    account = serializers.CharField()


class LogView(View):
    family = "logs"
    filters = (*FILTERS, "request_id", "since", "until")

    @extend_schema(
        summary="List requests, newest first",
        description="Where few rows match, a page may have fewer rows than `page_size`, or none, "
        "and a `next_cursor` that leads on: the log has ended only where that is null.",
        parameters=[
            *LIST,
            *(parameter(name, _WORDS.get(name, "As the rows have it.")) for name in FILTERS),
            parameter("request_id", "The whole id, as x-request-id has it."),
            parameter("since", "From this day or moment (UTC) on."),
            parameter("until", "Before this day or moment (UTC)."),
        ],
        responses={200: listed(ShownRow), **problems(400)},
    )
    def list(self, request: Any) -> Response:
        walk = Walk(_sought(request.GET), _position(request))
        rows, rest = walk.page(page_size(request))
        cursor = None if rest is None else cursor_of(str(rest))
        return self.page([row_as_json(row) for row in rows], cursor)


def _position(request: Any) -> Position | None:
    text = cursor_text(request)
    if text is None:
        return None
    position = Position.parse(text)
    if position is None:
        raise bad_cursor()
    return position


def _sought(asked: Any) -> Sought:
    wanted = Sought(since=_moment(asked, "since"), until=_moment(asked, "until"))
    if "request_id" in asked:
        wanted &= Sought(request_id=asked["request_id"])
    for name in FILTERS:
        if name in asked:
            found = sought(name, asked[name])
            if found.nothing:
                raise bad_parameter(name, f"{name!r} cannot have this value.")
            wanted &= found
    return wanted


def _moment(asked: Any, name: str) -> datetime | None:
    if name not in asked:
        return None
    try:
        return moment_from_text(asked[name])
    except ValueError:
        raise bad_parameter(
            name, f"{name!r} takes a day or moment such as 2027-01-31T12:00:00Z."
        ) from None
