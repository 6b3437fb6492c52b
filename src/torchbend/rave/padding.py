"""How many samples a convolution sees before and after its place."""

from __future__ import annotations

from typing import Literal

from torchbend.errors import RAVEConfigError

__all__ = ["PaddingMode", "padding"]

PaddingMode = Literal["centered", "causal", "anticausal"]


def padding(kernel: int, dilation: int = 1, mode: PaddingMode = "centered") -> tuple[int, int]:
    """Samples of padding on the left and on the right that keep a signal's length at stride 1.

    An even span has the larger half on the right.

    Args:
        kernel: taps, at least 1.
        dilation: samples between taps, at least 1.
        mode: both sides, only the past, or only the future.

    Raises:
        RAVEConfigError: the mode is unknown.
    """
    around = (kernel - 1) * dilation
    if mode == "centered":
        return around // 2, around - around // 2
    if mode == "causal":
        return around, 0
    if mode == "anticausal":
        return 0, around
    raise RAVEConfigError(
        "unknown padding", site="padding", wanted="'centered', 'causal' or 'anticausal'", got=repr(mode)
    )
