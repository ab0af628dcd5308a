"""Each kind of image file: read as RGB, or refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evit_deploy.benchmarks.accuracy.images import UnusableFile, decode


def content_of(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("RGB", "PNG"),
        ("L", "PNG"),
        ("1", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
    ],
)
def test_modes_are_converted_as_pillow_does(photo: Image.Image, mode: str, format: str) -> None:
    content = content_of(photo.convert(mode), format)
    picture = decode(content)
    assert picture.mode == mode
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))


def test_a_palette_with_transparency(photo: Image.Image) -> None:
    palette = photo.convert("P")
    content = content_of(palette, transparency=bytes([0, 128, 255]))
    assert np.array_equal(decode(content).pixels, np.asarray(palette.convert("RGB")))


def test_sixteen_bit_grey_keeps_its_range() -> None:
    values = np.array([[0, 257, 256 * 128, 65535]], np.uint16)
    picture = decode(content_of(Image.fromarray(values)))
    assert picture.mode.startswith("I")
    assert picture.pixels[0, :, 0].tolist() == [0, 1, 128, 255]
    assert picture.pixels.shape == (1, 4, 3)


def test_floating_point_is_refused_by_name() -> None:
    content = content_of(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    with pytest.raises(
        UnusableFile, match=r"^has pixels of Pillow's mode F, expected 8 bits a channel or 16-bit"
    ):
        decode(content)


def test_grey_beyond_sixteen_bits_is_refused() -> None:
    content = content_of(Image.fromarray(np.full((4, 4), 70000, np.int32)), "TIFF")
    with pytest.raises(UnusableFile, match="has grey values beyond 16 bits"):
        decode(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"no image at all", "is no image of a known kind")],
)
def test_what_is_no_image(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        decode(content)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("format", "keep"), [("JPEG", 0.7), ("PNG", 0.7)])
def test_a_truncated_file(format: str, keep: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = content_of(Image.fromarray(pixels), format)
    with pytest.raises(UnusableFile, match="cannot be read as an image"):
        decode(content[: int(len(content) * keep)])


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_damage_never_gets_through_as_another_exception(photo: Image.Image, format: str) -> None:
    content = content_of(photo, format)
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(content)
        for at in random.integers(len(content), size=3):
            damaged[at] = random.integers(256)
        try:
            assert decode(bytes(damaged)).pixels.ndim == 3
        except UnusableFile as error:
            assert str(error)
