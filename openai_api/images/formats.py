"""The format of pictures in an answer: what it is, and the one that a request names in its place.

Models answer with the format of their own, mostly JPEG. Decoding and encoding take time and memory,
so the header is looked at first, and a few pictures at once are converted, in threads.
"""

import asyncio
import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from openai_api.images.picture import Picture
from workers_ai.errors import UnusableAnswer

# As OpenAI names them.
MEDIA_TYPES: Final = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
# A decoded picture takes four bytes a pixel, however small its file is.
MOST_PIXELS: Final = 36_000_000
AT_ONCE: Final = 2
# What the signatures tell of; no other decoder of Pillow reads bytes of upstream or of clients.
# Each is there once it is imported: Pillow would look for it among all that it has, 60 modules with
# 6 MiB, in the middle of a request.
DECODERS: Final = tuple(
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
    )
)
# Base64 characters in which a picture's size is looked for: nearly always it stands in the first
# few, and a JPEG with a profile has it later.
_HEAD_CHARACTERS: Final = (2_048, 65_536)
# Of jpeg and webp where the request leaves it open.
_QUALITY: Final = 95

T = TypeVar("T")
_threads = ThreadPoolExecutor(AT_ONCE, "pictures")


async def in_thread(work: Callable[[], T]) -> T:
    """Runs `work` in a thread, a few at a time, so that the event loop is not blocked."""
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


def format_of(picture: Picture) -> str | None:
    """OpenAI's name of the format; None for one that it has no name for, such as GIF."""
    return next((name for name, kind in MEDIA_TYPES.items() if kind == picture.media_type), None)


def size_of(picture: Picture) -> str | None:
    """Width and height as in `1024x1024`; None where the beginning of the file does not tell."""
    for characters in _HEAD_CHARACTERS:
        try:
            width, height = _opened(picture.base64[:characters]).size
        except Exception:  # decoders fail in as many ways as there are broken files
            continue
        return f"{width}x{height}"
    return None


def has(picture: Picture, wanted: str | None, compression: int | None) -> bool:
    """Whether it is as wanted: a name of MEDIA_TYPES or None, and 0 to 100 or None."""
    is_wanted = wanted is None or picture.media_type == MEDIA_TYPES[wanted]
    return is_wanted and (compression in (None, 100) or picture.media_type == "image/png")


def converted(picture: Picture, wanted: str | None, compression: int | None) -> Picture:
    """The picture as wanted. `compression` is the quality of jpeg and webp in percent, as OpenAI
    has it; png knows none. Raises UnusableAnswer for a picture that cannot be read.
    """
    name = wanted or format_of(picture) or "png"
    try:
        image = _opened(picture.base64)
        if image.width * image.height > MOST_PIXELS:
            raise UnusableAnswer(f"Workers AI answered with more than {MOST_PIXELS} pixels")
        image.load()
        if name == "jpeg" and image.mode not in ("RGB", "L"):
            image = on_white(image)
        elif image.mode not in ("RGB", "RGBA", "L"):
            image = image.convert("RGBA")
        out = io.BytesIO()
        if name == "png":
            # The strongest takes four times as long for some percent less.
            image.save(out, "PNG", compress_level=4)
        else:
            image.save(out, name.upper(), quality=_QUALITY if compression is None else compression)
    except UnusableAnswer:
        raise
    except Exception:  # as in `size_of`
        raise UnusableAnswer("Workers AI answered with a picture that cannot be read") from None
    return Picture(base64.b64encode(out.getvalue()).decode(), MEDIA_TYPES[name])


def _opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)), formats=DECODERS)


def on_white(image: Image.Image) -> Image.Image:
    """Without transparency, which JPEG does not know."""
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")
