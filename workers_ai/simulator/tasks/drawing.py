"""Pictures that show the prompt they were asked for with, as real PNG or JPEG bytes."""

import base64
import colorsys
import hashlib
import io
import textwrap
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError


def draw(
    prompt: str,
    width: int,
    height: int,
    *,
    kind: Literal["PNG", "JPEG"],
    seed: int = 0,
    notes: list[str] | None = None,
    base: bytes | None = None,
    mask: bytes | None = None,
) -> bytes:
    """A picture of the prompt's words. Drawn over `base` when there is one; within `mask` only."""
    image = _background(prompt, seed, width, height)
    if base is not None:
        original = Image.open(io.BytesIO(base)).convert("RGB").resize((width, height))
        if mask is not None:
            area = Image.open(io.BytesIO(mask)).convert("L").resize((width, height))
            image = Image.composite(image, original, area)
        else:
            image = Image.blend(original, image, 0.4)
    pen = ImageDraw.Draw(image)
    lines, size = _fitted(prompt or "(no prompt)", width, height)
    pen.multiline_text(
        (width / 2, height / 2),
        "\n".join(lines),
        fill="white",
        font=_font(size),
        anchor="mm",
        align="center",
        stroke_width=max(1, size // 16),
        stroke_fill="black",
    )
    small = max(10, min(width, height) // 40)
    for row, note in enumerate(notes or []):
        pen.text((small, small + row * small * 1.3), note, fill="white", font=_font(small))
    out = io.BytesIO()
    image.save(out, kind, **({"compress_level": 1} if kind == "PNG" else {"quality": 85}))
    return out.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _background(prompt: str, seed: int, width: int, height: int) -> Image.Image:
    """A gradient whose colours depend on the prompt and the seed."""
    digest = hashlib.sha256(f"{seed}:{prompt}".encode()).digest()
    hue = digest[0] / 255
    ends = [
        tuple(round(255 * part) for part in colorsys.hsv_to_rgb((hue + shift) % 1, 0.6, value))
        for shift, value in ((0.0, 0.55), (0.12, 0.85))
    ]
    corners = Image.new("RGB", (1, 2))
    corners.putpixel((0, 0), ends[0])
    corners.putpixel((0, 1), ends[1])
    return corners.resize((width, height), Image.Resampling.BILINEAR)


def _fitted(text: str, width: int, height: int) -> tuple[list[str], int]:
    """The text in lines, and the largest size at which they fit."""
    lines = [text[:1]]
    for size in (96, 72, 56, 44, 34, 26, 20, 15, 11):
        columns = max(1, int(width * 0.9 / (size * 0.6)))
        lines = textwrap.wrap(text, columns) or [text]
        if len(lines) * size * 1.4 <= height * 0.8 and size * 4 <= max(width, 44):
            return lines, size
    return lines[: max(1, height // 16)], 11


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height; raises `ValueError` for anything that is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError("not a picture") from error


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
