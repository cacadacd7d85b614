"""Restrictions of a key to models, endpoints and networks, with their validators."""

from typing import Final

from django.core.exceptions import ValidationError

from keys.addresses import network

ENDPOINTS: Final = (
    "chat",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "images",
    "image_edits",
    "transcriptions",
    "translations",
    "speech",
    "moderations",
    "rerank",
    "decisions",
)


def _list_of_texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(x, str) and x.strip() for x in value):
        raise ValidationError("It takes a list of texts, none of them empty.")
    return value


def validate_model_patterns(value: object) -> None:
    _list_of_texts(value)


def validate_endpoints(value: object) -> None:
    unknown = [name for name in _list_of_texts(value) if name not in ENDPOINTS]
    if unknown:
        raise ValidationError(
            f"There is no endpoint {unknown[0]!r}: it takes any of {', '.join(ENDPOINTS)}."
        )


def validate_networks(value: object) -> None:
    for text in _list_of_texts(value):
        try:
            network(text)
        except ValueError:
            raise ValidationError(
                f"{text!r} is not a network: it takes addresses such as 10.0.0.0/8 "
                "or 2001:db8::/32, with no bits set after the prefix."
            ) from None
