"""Reads a picture's real size and main colour."""

import base64
import binascii
import io

from PIL import Image, UnidentifiedImageError

from workers_ai.simulator.chat.answers import Picture
from workers_ai.simulator.replies import Refusal, model_message

_COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (220, 30, 30),
    "green": (30, 160, 60), "blue": (30, 60, 220), "yellow": (240, 220, 40),
    "orange": (250, 140, 20), "purple": (130, 40, 160), "pink": (250, 150, 190),
    "brown": (120, 70, 30), "turquoise": (40, 200, 200),
}  # fmt: skip


def looked_at(url: object) -> Picture:
    """A picture given as a data URI or bare base64. An address is not fetched."""
    text = str(url)
    if text.startswith(("http://", "https://")):
        raise _invalid("it must be a data URI")
    if text.startswith("data:image/svg"):
        raise Refusal(500, 8005, model_message("Internal server error"))
    encoded = text.split(",", 1)[1] if text.startswith("data:") and "," in text else text
    try:
        return look_at_bytes(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        raise _invalid("invalid base64 encoding") from None


def look_at_bytes(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            average = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    except (UnidentifiedImageError, OSError, ValueError):
        raise _invalid("it is no PNG, JPEG or WebP") from None
    assert isinstance(average, tuple)
    return Picture(width, height, _nearest_colour(average))


def _nearest_colour(rgb: tuple[float, ...]) -> str:
    def distance(name: str) -> float:
        return sum((a - b) ** 2 for a, b in zip(rgb, _COLOURS[name], strict=False))

    return min(_COLOURS, key=distance)


def _invalid(reason: str) -> Refusal:
    return Refusal(400, 8006, model_message(f"Invalid data for image - reason {reason}"))
