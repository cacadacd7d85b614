"""Words of the OpenAPI document that many operations share."""

from typing import Any, Final

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

_WORDS: Final = {
    400: "The body or a parameter cannot be read.",
    404: "There is no such object.",
    409: "The object's state does not allow it.",
    412: "It was changed since the ETag in If-Match was given.",
    422: "A field is wrong; `errors` names it.",
}


class ProblemErrorFields(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    detail = serializers.CharField()


class ProblemFields(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ProblemErrorFields(many=True, required=False)  # type: ignore[assignment]


def problems(*statuses: int) -> dict[Any, Any]:
    """Responses of an operation beside its own, and those that every operation has."""
    return {
        (status, "application/problem+json"): OpenApiResponse(ProblemFields, _WORDS[status])
        for status in statuses
    }


def listed(fields: type[serializers.Serializer[Any]]) -> Any:
    """The answer of a list: a page of such objects."""
    name = f"{fields.__name__}Page"
    page = type(
        name,
        (serializers.Serializer,),
        {
            "data": fields(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="For the page after this one; null at the end."
            ),
        },
    )
    return forced_singular_serializer(page)


def parameter(name: str, words: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, description=words, **more)


LIST: Final = (
    parameter("cursor", "The `next_cursor` of a page, for the page after it."),
    OpenApiParameter("page_size", int, OpenApiParameter.QUERY, description="1 to 200; 50."),
)
