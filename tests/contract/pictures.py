"""Pictures to show to models, and reading those that they make."""

import base64
import io

from PIL import Image


def png(width: int = 40, height: int = 20, colour: str = "red") -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(held, "PNG")
    return held.getvalue()


def data_url(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


def size_of(encoded: str) -> tuple[int, int]:
    """The size of a picture given as base64, or as a data URL."""
    with Image.open(io.BytesIO(base64.b64decode(encoded.rpartition(",")[2]))) as image:
        return image.size
