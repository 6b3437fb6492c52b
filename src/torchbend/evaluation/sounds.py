"""What is compared: one sound, or two of one length."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchbend.errors import NonFiniteError, ShapeError

__all__ = ["Sound", "mono_pair", "one_sound", "pair", "to_mono"]

Sound = Tensor | NDArray[np.float32] | NDArray[np.float64]


def one_sound(x: Sound, name: str = "sound") -> Tensor:
    """A sound as float32 on the CPU.

    Args:
        x: floating point samples.
        name: of the argument, for the message.

    Shape:
        ``[T]``, ``[C, T]`` or ``[1, C, T]`` to ``[C, T]``, T >= 1.

    Raises:
        ShapeError: it has another shape or type, or no sample.
        NonFiniteError: it holds NaN or infinity.
    """
    found = torch.as_tensor(x).detach()
    shape = list(found.shape)
    if found.dim() == 3 and shape[0] == 1:
        found = found[0]
    if found.dim() == 1:
        found = found[None]
    if found.dim() != 2 or not found.is_floating_point() or found.numel() == 0:
        raise ShapeError(
            "this is no sound",
            site=name,
            wanted="floating point samples [T], [C, T] or [1, C, T], not empty",
            got=f"{found.dtype} {shape}",
            next_step="compare the sounds of a batch one by one" if len(shape) == 3 else None,
        )
    if not bool(torch.isfinite(found).all()):
        raise NonFiniteError("the sound holds NaN or infinity", site=name, wanted="finite samples")
    return found.cpu().float()


def to_mono(x: Sound, name: str = "sound") -> Tensor:
    """The mean of a sound's channels, ``[T]``; arguments and errors as of `one_sound`."""
    return one_sound(x, name).mean(0)


def pair(reference: Sound, made: Sound) -> tuple[Tensor, Tensor]:
    """Two sounds of one shape, each ``[C, T]``.

    Args:
        reference: what was wanted.
        made: what is judged.

    Raises:
        ShapeError: one of them is no sound, or they differ in channels or length.
        NonFiniteError: one of them holds NaN or infinity.
    """
    wanted, got = one_sound(reference, "reference"), one_sound(made, "made")
    if wanted.shape != got.shape:
        raise ShapeError(
            "two sounds are compared sample by sample",
            site="made",
            wanted=list(wanted.shape),
            got=list(got.shape),
            next_step="cut both to the same length: x[..., :length]",
        )
    return wanted, got


def mono_pair(reference: Sound, made: Sound) -> tuple[Tensor, Tensor]:
    """The means of the channels of both, each ``[T]``; arguments and errors as of `pair`."""
    wanted, got = pair(reference, made)
    return wanted.mean(0), got.mean(0)
