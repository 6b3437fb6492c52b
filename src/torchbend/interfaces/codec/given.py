"""What users give to a codec: checked, and in the shape that it takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torchbend.errors import GenerationError, ShapeError
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.sounds import finite

__all__ = ["as_codes", "as_latents", "as_scales", "as_sound", "number_of_codebooks"]

Codec = EncodecCodec | DacCodec


def number_of_codebooks(codec: Codec, bandwidth: float | None, codebooks: int | None) -> int:
    """How many codebooks are meant.

    Args:
        codec: which.
        bandwidth: in kilobits a second; as many codebooks as fit in.
        codebooks: how many.

    Raises:
        GenerationError: both are given, or the codec has no such number.
    """
    if bandwidth is not None and codebooks is not None:
        raise GenerationError(
            "a bandwidth is a number of codebooks: give one of the two",
            site="bandwidth, codebooks",
            got=f"{bandwidth} kbps and {codebooks}",
        )
    if codebooks is not None:
        if isinstance(codebooks, bool) or not isinstance(codebooks, int) or not 1 <= codebooks <= codec.most:
            raise GenerationError(
                "the codec has no such number of codebooks",
                site="codebooks",
                wanted=f"1 to {codec.most}",
                got=repr(codebooks),
            )
        return codebooks
    if bandwidth is None:
        return codec.in_use
    each = codec.bits * math.ceil(codec.sample_rate / codec.hop) / 1000
    if isinstance(bandwidth, bool) or not isinstance(bandwidth, int | float) or not bandwidth >= each:
        raise GenerationError(
            "not one codebook fits into this bandwidth",
            site="bandwidth",
            wanted=f"{each:g} (1 codebook) to {each * codec.most:g} kbps ({codec.most})",
            got=repr(bandwidth),
        )
    return math.floor(min(codec.most, bandwidth / each + 1e-9))


def as_sound(codec: Codec, x: Tensor) -> Tensor:
    """Audio ``[B, channels, T]`` of a codec's number of channels; one channel is repeated.

    Raises:
        ShapeError: another number of channels, or no sample.
    """
    if x.dim() == 3 and x.shape[1] == 1 < codec.channels:
        x = x.expand(-1, codec.channels, -1)
    if x.dim() != 3 or x.shape[1] != codec.channels or not x.numel():
        raise ShapeError(
            "this is no sound of this codec",
            site="sound",
            wanted=f"[batch, {codec.channels}, time], with a sample at least",
            got=list(x.shape),
            next_step="x.mean(-2, keepdim=True) mixes channels"
            if codec.channels == 1 and x.numel() and x.dim() == 3
            else None,
        )
    return x.detach().float()


def as_codes(codec: Codec, codes: object) -> Tensor:
    """Codes ``[B, K, frames]``, K at most what the codec has; frames may be none.

    Raises:
        GenerationError: they are none of this codec.
    """
    fits = isinstance(codes, Tensor) and codes.dim() in (2, 3) and not codes.is_meta
    if fits and isinstance(codes, Tensor):
        given = codes[None] if codes.dim() == 2 else codes
        whole = given.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
        inside = whole and (not given.numel() or 0 <= int(given.min()) <= int(given.max()) < codec.codes)
        if inside and 1 <= given.shape[1] <= codec.most and len(given):
            return given.long()
    held = f", {int(codes.min())} to {int(codes.max())}" if fits and codes.numel() else ""  # type: ignore[attr-defined]
    raise GenerationError(
        "these are no codes of this codec",
        site="codes",
        wanted=f"whole numbers from 0 to {codec.codes - 1}, shape [batch, 1 to {codec.most}, frames]",
        got=f"{codes.dtype} {list(codes.shape)}{held}" if isinstance(codes, Tensor) else type(codes).__name__,
        next_step=f"codes.round().clamp(0, {codec.codes - 1}).long() makes codes of numbers"
        if isinstance(codes, Tensor) and codes.is_floating_point()
        else None,
    )


def as_latents(codec: Codec, z: object) -> Tensor:
    """Latents ``[B, size, frames]``; frames may be none.

    Raises:
        ShapeError: another number of them, or no tensor of real numbers.
        NonFiniteError: they hold NaN or infinity.
    """
    wanted = f"latents of shape [batch, {codec.size}, frames]"
    given = finite(z, "z", wanted)
    given = given[None] if given.dim() == 2 else given
    if given.dim() != 3 or given.shape[1] != codec.size or not len(given):
        raise ShapeError("these are no latents of this codec", site="z", wanted=wanted, got=list(given.shape))
    return given.float()


def as_scales(scales: Tensor | None, rows: int, pieces: int) -> Tensor:
    """The loudness of each piece, ``[B, pieces]``: 1 where none is given.

    Raises:
        ShapeError: there are others.
        NonFiniteError: they hold NaN or infinity.
    """
    if scales is None:
        return torch.ones(rows, pieces)
    given = finite(scales, "scales", f"shape [{rows}, {pieces}]").float()
    if given.shape != (rows, pieces):
        raise ShapeError(
            "the codes need a loudness for each piece",
            site="scales",
            wanted=[rows, pieces],
            got=list(given.shape),
            next_step="pass what encode(sound, return_scales=True) gave",
        )
    return given
