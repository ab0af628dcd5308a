"""Bytes of an image file -> RGB pixels, whatever the file holds, or the reason why not.

    RGB                                   as it is
    1, L, LA, P, PA, RGBA, CMYK, YCbCr    converted by Pillow, as published; transparency is dropped
    I;16, I up to 65535 (16-bit grey)     value / 257, rounded, in all three channels
    everything else (F, LAB ...)          refused by name

The published loaders call Pillow's `convert("RGB")`, too, and ignore the rotation that a camera noted.
16-bit colour is read by Pillow as its high byte.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    from PIL.Image import Image

_CONVERTED = ("1", "L", "LA", "P", "PA", "RGBA", "RGBX", "CMYK", "YCbCr")
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY_STEP = 257  # 65535 / 255


class UnusableFile(Exception):
    """A file that cannot take part; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Picture:
    """RGB pixels, (H, W, 3); `mode` is Pillow's name of what the file holds."""

    pixels: NDArray[np.uint8]
    mode: str


def require_pillow() -> None:
    """Say what to install, before anything else is done.

    Raises:
        SetupError: Pillow is missing.
    """
    if find_spec("PIL") is None:
        raise SetupError(
            "reading images needs Pillow: install it with \"pip install 'evit-deploy[eval]'\"",
            Exit.MISSING_EXTRA,
        )


def decode(content: bytes) -> Picture:
    """The pixels of an image file.

    Raises:
        UnusableFile: damaged, no image, or of a kind that is refused.
    """
    with opened(content) as image:
        if image.mode == "RGB":
            return Picture(np.asarray(image, np.uint8), image.mode)
        if image.mode in _SIXTEEN_BITS:
            return Picture(_from_sixteen_bits(np.asarray(image)), image.mode)
        if image.mode not in _CONVERTED:
            raise UnusableFile(
                f"has pixels of Pillow's mode {image.mode}, expected 8 bits a channel or 16-bit grey; "
                "save it as 8-bit RGB"
            )
        # By way of RGBA, since Pillow warns where a palette with transparency loses it.
        full = image.convert("RGBA") if "transparency" in image.info else image
        return Picture(np.asarray(full.convert("RGB"), np.uint8), image.mode)


@contextmanager
def opened(content: bytes) -> Iterator[Image]:
    """An image, with all of its pixels read.

    Raises:
        UnusableFile: they cannot be.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise UnusableFile("is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about metadata, or an image above 89 million pixels
            image = Image.open(io.BytesIO(content))
            image.load()
    except UnidentifiedImageError as error:
        raise UnusableFile("is no image of a known kind") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise UnusableFile(f"cannot be read as an image ({error})") from error
    except Image.DecompressionBombError as error:
        raise UnusableFile("has more pixels than Pillow reads") from error
    with image:
        yield image


def _from_sixteen_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W) -> (H, W, 3)."""
    if values.min(initial=0) < 0 or values.max(initial=0) > 0xFFFF:
        raise UnusableFile("has grey values beyond 16 bits; save it as 8-bit RGB")
    grey = ((values.astype(np.uint32) + _GREY_STEP // 2) // _GREY_STEP).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
