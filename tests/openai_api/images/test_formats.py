"""Pictures of answers in another format, whatever upstream sends."""

import base64
import io

import pytest
from PIL import Image

from openai_api.images.formats import converted, has, size_of
from openai_api.images.picture import Picture
from workers_ai.errors import UnusableAnswer


def picture(mode: str = "RGB", kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> Picture:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return Picture(base64.b64encode(out.getvalue()).decode(), f"image/{kind.lower()}")


def opened(made: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(made.base64)))
    image.load()
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp"])
def test_every_kind_of_pixels_becomes_every_format(mode: str, wanted: str) -> None:
    made = converted(picture(mode), wanted, None)
    assert made.media_type == f"image/{wanted}"
    assert opened(made).size == (40, 30)
    assert size_of(made) == "40x30"


def test_what_is_transparent_becomes_white_in_a_jpeg() -> None:
    pixel = opened(converted(picture("RGBA"), "jpeg", None)).getpixel((5, 5))
    assert pixel == (255, 255, 255)


def test_a_gif_becomes_what_is_asked_for() -> None:
    made = converted(picture("P", "GIF"), "webp", 50)
    assert opened(made).format == "WEBP"


@pytest.mark.parametrize(
    ("kind", "wanted", "compression", "expected"),
    [
        ("PNG", None, None, True),
        ("PNG", "png", 100, True),
        ("PNG", None, 50, True),
        ("PNG", "jpeg", None, False),
        ("JPEG", "jpeg", None, True),
        ("JPEG", None, 50, False),
    ],
)
def test_what_is_as_asked_for_stays(
    kind: str, wanted: str | None, compression: int | None, expected: bool
) -> None:
    assert has(picture(kind=kind), wanted, compression) is expected


def test_the_size_is_found_behind_a_profile() -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG", icc_profile=b"p" * 20_000)
    assert size_of(Picture(base64.b64encode(out.getvalue()).decode(), "image/jpeg")) == "40x30"


def test_a_picture_that_breaks_off_is_no_picture() -> None:
    whole = picture("RGB", "JPEG", (400, 300))
    half = base64.b64encode(base64.b64decode(whole.base64)[:400]).decode()
    with pytest.raises(UnusableAnswer):
        converted(Picture(half, "image/jpeg"), "png", None)


def test_a_small_file_with_a_huge_picture_is_not_decoded() -> None:
    with pytest.raises(UnusableAnswer, match="pixels"):
        converted(picture("1", "PNG", (8000, 8000)), "jpeg", None)
