"""A picture of an answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as base64 text, and its real media type."""

    base64: str
    media_type: str
