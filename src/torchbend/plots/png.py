"""Colour images as PNG files, with nothing but zlib."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from torchbend.errors import TorchbendError

__all__ = ["COLOUR_MAP", "indexed_png", "rgb_png"]

# Dark blue over teal and green to pale yellow. Lightness rises evenly, so that the map reads the same in
# grey and with the common kinds of colour blindness.
_STOPS = (
    (0x0B, 0x0D, 0x2A),
    (0x1E, 0x1F, 0x5B),
    (0x2B, 0x3D, 0x80),
    (0x2A, 0x62, 0x8F),
    (0x24, 0x85, 0x8F),
    (0x2E, 0xA8, 0x82),
    (0x6C, 0xC6, 0x66),
    (0xB9, 0xDD, 0x4E),
    (0xFB, 0xF2, 0x9A),
)


def _colour_map() -> NDArray[np.uint8]:
    positions = np.linspace(0, 1, len(_STOPS))
    stops = np.array(_STOPS, dtype=np.float64)
    wanted = np.linspace(0, 1, 256)
    channels = [np.interp(wanted, positions, stops[:, channel]) for channel in range(3)]
    colours: NDArray[np.uint8] = np.stack(channels, axis=1).round().astype(np.uint8)
    return colours


COLOUR_MAP: NDArray[np.uint8] = _colour_map()
"""256 colours ``[256, 3]``, from low to high."""
COLOUR_MAP.setflags(write=False)


def indexed_png(image: NDArray[np.uint8], palette: NDArray[np.uint8] = COLOUR_MAP) -> bytes:
    """A PNG of 8 bits for each pixel (PNG specification, third edition; colour type 3).

    Args:
        image: indices into the palette, ``[height, width]``, the top row first.
        palette: colours ``[256, 3]``.

    Returns:
        The bytes of the file.

    Raises:
        TorchbendError: the image has another shape or type, or no pixel.
    """
    if image.ndim != 2 or image.size == 0 or image.dtype != np.uint8 or palette.shape != (256, 3):
        raise TorchbendError(
            "cannot be drawn as PNG",
            wanted="uint8 pixels [height, width] and a palette [256, 3]",
            got=f"{image.dtype} {list(image.shape)} and {list(palette.shape)}",
        )
    # The filter of each line is 0, none, as advised for indexed colours.
    return _file(image[..., None], 3, _chunk(b"PLTE", palette.tobytes()))


def rgb_png(image: NDArray[np.uint8]) -> bytes:
    """A PNG of 8 bits for each of three colours (PNG specification, third edition; colour type 2).

    Args:
        image: colours ``[height, width, 3]``, the top row first.

    Returns:
        The bytes of the file.

    Raises:
        TorchbendError: the image has another shape or type, or no pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0 or image.dtype != np.uint8:
        raise TorchbendError(
            "cannot be drawn as PNG",
            wanted="uint8 colours [height, width, 3]",
            got=f"{image.dtype} {list(image.shape)}",
        )
    return _file(image, 2)


def _file(pixels: NDArray[np.uint8], colour_type: int, palette: bytes = b"") -> bytes:
    """The file of pixels ``[height, width, bytes of each]``."""
    height, width, depth = pixels.shape
    lines = np.zeros((height, width * depth + 1), dtype=np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + palette
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
