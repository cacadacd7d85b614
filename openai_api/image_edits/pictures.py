"""Pictures that clients send in, as the models take them: upright, of the right size, JPEG.

Decoding takes time and memory: the header is checked before a picture is decoded, and only a few
are decoded at once, in threads. Raises BadRequest naming the `param` for what cannot be used.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from openai_api.errors import BadRequest
from openai_api.images.formats import DECODERS, MOST_PIXELS, on_white

JPEG_QUALITY = 95

ORIENTATION = 0x0112
LYING_DOWN = range(5, 9)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the header of a picture says; the size is that of the upright picture."""

    width: int
    height: int
    has_alpha: bool


def look(data: bytes, param: str) -> Seen:
    """Reads only the header, so that a small file with a huge picture is refused at no cost."""
    image = _opened(data, param)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _unusable(
            param, f"it has {width}x{height} pixels, of which at most {MOST_PIXELS} are taken"
        )
    try:
        if image.getexif().get(ORIENTATION) in LYING_DOWN:
            width, height = height, width
    except Exception as error:  # decoders fail in as many ways as there are broken files
        raise _unusable(param, "its data is damaged") from error
    return Seen(width, height, has_alpha=_has_alpha(image))


def as_jpeg(data: bytes, size: tuple[int, int], param: str) -> bytes:
    """The picture at this size, cropped where the proportions differ, with white where it is
    transparent.
    """
    image = _decoded(data, size, param)
    if _has_alpha(image):
        image = on_white(image)
    out = io.BytesIO()
    fitted = ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS)
    fitted.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()


def as_mask(data: bytes, size: tuple[int, int], param: str) -> bytes:
    """A PNG that is white where the model is to paint.

    OpenAI marks that by transparency; a mask without any is taken as a black and white one already.
    """
    image = _decoded(data, size, param)
    mask = image.convert("L")
    if _has_alpha(image):
        clear = image.convert("RGBA").getchannel("A").point(lambda opacity: 255 - opacity)
        if clear.getextrema()[1]:
            mask = clear
    mask = ImageOps.fit(mask, size, Image.Resampling.NEAREST)
    if not mask.getextrema()[1]:
        raise _unusable(param, "no part of it is transparent, so there is nothing to paint")
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def _opened(data: bytes, param: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=DECODERS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _unusable(param, f"it has more than {MOST_PIXELS} pixels") from None
    except Exception as error:  # as in `look`
        raise _unusable(param, f"it is not a {', '.join(DECODERS)} picture") from error


def _decoded(data: bytes, size: tuple[int, int], param: str) -> Image.Image:
    """The pixels, upright, and not many more than are needed."""
    image = _opened(data, param)
    enough = (max(size) * 2, max(size) * 2)
    try:
        image.draft("RGB", enough)
        image.load()
        if image.mode.startswith("I"):
            image = image.point(lambda deep: deep / 256).convert("L")
        elif image.mode in ("P", "1"):
            image = image.convert("RGBA")
        image.thumbnail(enough)
        return ImageOps.exif_transpose(image)
    except Exception as error:  # as in `look`; the rest of the file is read only here
        raise _unusable(param, "its data is damaged") from error


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _unusable(param: str, why: str) -> BadRequest:
    return BadRequest(
        f"The picture in '{param}' cannot be used: {why}.", param=param, code="invalid_image"
    )
