"""Pictures of every kind, and the files that only look like one."""

import io
import zlib
from typing import Any

import pytest
from PIL import Image

from openai_api.errors import BadRequest
from openai_api.image_edits.pictures import Seen, as_jpeg, as_mask, look

RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK"])
def test_every_usual_picture_is_read(kind: str, mode: str) -> None:
    image = Image.new("RGB", (40, 30), "white").convert(mode)
    try:
        data = saved(image, kind)
    except (OSError, ValueError):
        data = saved(image.convert("RGB"), kind)  # a mode that this format has not
    assert look(data, "image").width == 40
    made = opened(as_jpeg(data, (20, 15), "image"))
    assert (made.format, made.mode, made.size) == ("JPEG", "RGB", (20, 15))
    assert is_near(made.getpixel((10, 7)), (255, 255, 255))


def test_sixteen_bits_a_channel_are_read() -> None:
    data = saved(Image.new("I;16", (40, 30), 0x8000))
    assert is_near(opened(as_jpeg(data, (20, 15), "image")).getpixel((5, 5)), (128, 128, 128))


def test_what_is_transparent_becomes_white() -> None:
    data = saved(Image.new("RGBA", (40, 30), (255, 0, 0, 0)))
    assert look(data, "image") == Seen(40, 30, has_alpha=True)
    assert is_near(opened(as_jpeg(data, (40, 30), "image")).getpixel((5, 5)), (255, 255, 255))


def test_a_picture_that_lies_down_is_put_upright() -> None:
    image = Image.new("RGB", (400, 200), RED)
    image.paste(BLUE, (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # its top is at the right
    data = saved(image, "JPEG", exif=exif)
    assert look(data, "image") == Seen(200, 400, has_alpha=False)
    made = opened(as_jpeg(data, (50, 100), "image"))
    assert is_near(made.getpixel((25, 10)), BLUE)
    assert is_near(made.getpixel((25, 90)), RED)


def test_another_shape_is_cut_and_not_squeezed() -> None:
    image = Image.new("RGB", (300, 100), RED)
    image.paste(BLUE, (100, 0, 200, 100))
    made = opened(as_jpeg(saved(image), (100, 100), "image"))
    assert is_near(made.getpixel((10, 50)), BLUE)
    assert is_near(made.getpixel((90, 50)), BLUE)


def test_a_mask_is_white_where_it_was_transparent() -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    made = opened(as_mask(saved(image), (80, 80), "mask"))
    assert (made.format, made.mode, made.size) == ("PNG", "L", (80, 80))
    assert (made.getpixel((10, 40)), made.getpixel((70, 40))) == (255, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_a_mask_without_transparency_is_black_and_white(mode: str) -> None:
    image = Image.new("RGB", (40, 40), "black")
    image.paste("white", (0, 0, 20, 40))
    made = opened(as_mask(saved(image.convert(mode)), (40, 40), "mask"))
    assert (made.getpixel((10, 20)), made.getpixel((30, 20))) == (255, 0)


def test_a_mask_without_a_hole_is_refused() -> None:
    with pytest.raises(BadRequest, match="nothing to paint"):
        as_mask(saved(Image.new("L", (40, 40), 0)), (40, 40), "mask")


def huge(side: int) -> bytes:
    """A small file that says that it has so many pixels each way."""
    data = bytearray(saved(Image.new("RGB", (8, 8))))
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes(data[24:29])
    data[12:33] = header + zlib.crc32(header).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("side", [6001, 9500, 30_000, 2**31 - 1])
def test_a_bomb_is_not_lit(side: int) -> None:
    with pytest.raises(BadRequest, match="pixels") as refused:
        look(huge(side), "image")
    assert (refused.value.param, refused.value.code) == ("image", "invalid_image")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "PNG"])
def test_damage_anywhere_is_no_fault(kind: str) -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    data = saved(noise, kind)
    for place in range(0, len(data), max(1, len(data) // 60)):
        cut, changed = data[:place], data[:place] + b"\xff\x00\xff" + data[place + 3 :]
        for damaged in (cut, changed):
            try:
                look(damaged, "image")
                as_jpeg(damaged, (32, 32), "image")
            except BadRequest as refused:
                assert refused.code == "invalid_image"


@pytest.mark.parametrize("data", [b"", b"x", b"<svg/>", b"BM" + bytes(60), b"%PDF-1.7"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="not a PNG"):
        look(data, "image")
