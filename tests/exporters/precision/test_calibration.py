"""Images to take ranges from: every one is used, or named and the whole is refused."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.precision.calibration import SHIPPED, read_calibration, shipped_calibration
from evit_deploy.photographs import load_photograph

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
SIZE = (32, 48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph in a folder below, and one in every mode that can be used."""
    made = tmp_path / "street"
    (made / "below").mkdir(parents=True)
    (made / "below-2 x").mkdir()
    Image.fromarray(PIXELS).save(made / "below-2 x" / "first.png")
    image = Image.fromarray(PIXELS)
    image.save(made / "below" / "colour.png")
    for mode, name in (("L", "grey.jpg"), ("CMYK", "cmyk.jpg"), ("RGBA", "alpha.png"), ("P", "palette.gif")):
        image.convert(mode).save(made / name)
    (made / ".hidden").write_text("no image")
    return made


def test_every_image_of_a_folder_is_used(folder: Path) -> None:
    calibration = read_calibration(folder)
    names = [file.name for file in calibration.files]
    assert names == ["alpha.png", "first.png", "colour.png", "cmyk.jpg", "grey.jpg", "palette.gif"]
    images = list(calibration.pixels(*SIZE))
    assert [image.shape for image in images] == [(*SIZE, 3)] * calibration.images
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    assert np.array_equal(images[2], load_photograph(folder / "below" / "colour.png", *SIZE))
    assert np.array_equal(calibration.some_pixels(2, *SIZE), [images[0], images[5]])
    grey = images[4]
    assert np.array_equal(grey[..., 0], grey[..., 2])


def test_the_record_is_what_the_documented_command_prints_and_has_no_path(folder: Path) -> None:
    calibration = read_calibration(folder)
    page = (Path(__file__).parents[3] / "docs" / "precision.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    cd images && (.*)$", page, re.M)
    printed = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    digest = printed.stdout.split()[0]
    assert calibration.as_dict() == {"source": "street", "sha256": digest, "images": 6}
    (folder / "grey.jpg").write_bytes((folder / "cmyk.jpg").read_bytes())
    assert read_calibration(folder).sha256 != digest


def test_what_cannot_be_used_is_named_all_of_it(folder: Path) -> None:
    (folder / "notes.txt").write_text("bring milk")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(folder / "deep.png")
    photograph = (folder / "grey.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(photograph[: len(photograph) // 2])
    (folder / "broken.png").write_bytes((folder / "alpha.png").read_bytes()[:60])
    (folder / "empty.jpg").touch()
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    with pytest.raises(UserError) as caught:
        read_calibration(folder)
    message = str(caught.value)
    assert caught.value.code == Exit.IMAGE
    assert "6 of 12 files cannot be used" in message
    assert "\n" not in message
    for name, reason in (
        ("notes.txt", "of no known format"),
        ("empty.jpg", "of no known format"),
        ("torn.jpg", "image file is truncated"),
        ("broken.png", ""),
        ("gone.jpg", "[Errno 2] No such file or directory"),
    ):
        assert f"{name}: not read as an image ({reason}" in message
    assert "deep.png: I;16: more than 8 bits a channel; save it with 8" in message
    assert "grey.jpg" not in message


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """Colour, which Pillow reads but does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_colours_of_16_bits_and_transparent_palettes_are_read_without_a_word(tmp_path: Path) -> None:
    """Warnings are errors here."""
    (tmp_path / "deep.png").write_bytes(png_of_16_bits(PIXELS.astype(np.uint16) * 257))
    palette = Image.fromarray(PIXELS).convert("P")
    palette.save(tmp_path / "palette.png", transparency=bytes(range(256)))
    deep, shown = read_calibration(tmp_path).pixels(40, 60)
    assert np.array_equal(deep, PIXELS)
    assert np.array_equal(shown, np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("kind", ["empty", "missing", "file", "hidden only"])
def test_nothing_to_calibrate_on_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "here"
    if kind == "file":
        path.write_bytes(b"not a folder")
    elif kind != "missing":
        path.mkdir()
    if kind == "hidden only":
        (path / ".DS_Store").touch()
    with pytest.raises(UserError, match=r"^--calibration .*: got .*, expected .*; name another$") as caught:
        read_calibration(path)
    assert caught.value.code == Exit.IMAGE


def test_arrays_of_pixels(tmp_path: Path) -> None:
    path = tmp_path / "pixels.npz"
    np.savez(path, b=PIXELS, a=np.stack([PIXELS, PIXELS[::-1]]))
    calibration = read_calibration(path)
    assert (calibration.source, calibration.images) == ("pixels.npz", 3)
    assert calibration.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    images = list(calibration.pixels(40, 60))
    assert np.array_equal(images[0], PIXELS)
    assert np.array_equal(images[1], PIXELS[::-1])


WRONG_ARRAYS = {
    "float32": (PIXELS.astype(np.float32), r"'x' is float32 \(40, 60, 3\), expected uint8"),
    "channels first": (PIXELS.transpose(2, 0, 1), r"'x' is uint8 \(3, 40, 60\), expected uint8"),
    "grey": (PIXELS[..., 0], r"'x' is uint8 \(40, 60\), expected uint8"),
    "objects": (np.array([{}], object), "not read as an .npz of arrays"),
}


@pytest.mark.parametrize("kind", WRONG_ARRAYS)
def test_other_arrays_are_refused(kind: str, tmp_path: Path) -> None:
    values, message = WRONG_ARRAYS[kind]
    np.savez(tmp_path / "x.npz", x=values)
    with pytest.raises(UserError, match=message):
        read_calibration(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY one array"])
def test_a_damaged_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"x.npz: not read as an .npz of arrays") as caught:
        read_calibration(tmp_path / "x.npz")
    assert caught.value.code == Exit.IMAGE


def test_an_empty_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz")
    with pytest.raises(UserError, match="got no image"):
        read_calibration(tmp_path / "x.npz")


def test_the_default_says_what_it_is() -> None:
    calibration = shipped_calibration()
    assert (calibration.source, calibration.images) == (SHIPPED, 2)
    assert len(calibration.sha256) == 64
