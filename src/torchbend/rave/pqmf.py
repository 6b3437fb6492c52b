"""The pseudo-quadrature mirror filter bank, offline and streaming.

Near-perfect reconstruction: a prototype low-pass filter, modulated by cosines (Nguyen,
"Near-perfect-reconstruction pseudo-QMF banks", IEEE Transactions on Signal Processing 42, 1994).
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn

from torchbend.errors import ShapeError
from torchbend.rave.config import PQMFConfig
from torchbend.rave.convolution import Conv1d
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.pqmf_design import analysis_weight, modulated, prototype, synthesis_weight
from torchbend.rave.streaming import Delay, Walk

__all__ = ["PQMF"]


class PQMF(nn.Module):
    """Splits audio into bands and joins them again.

    Args:
        config: number of bands and attenuation.
        channels: of the audio.
        mode: padding.
    """

    h: Tensor
    hk: Tensor
    even_signs: Tensor
    odd_signs: Tensor

    def __init__(self, config: PQMFConfig, channels: int = 1, mode: PaddingMode = "centered") -> None:
        super().__init__()
        self.bands, self.channels = config.bands, channels
        self.odd = self.late = False
        if config.bands == 1:
            return
        with torch.device("cpu"):
            h = prototype(config.bands, config.attenuation)
            hk = modulated(h, config.bands)
            analysis, synthesis = analysis_weight(hk), synthesis_weight(hk)
        device = torch.get_default_device()
        h, hk, analysis, synthesis = (t.to(device) for t in (h, hk, analysis, synthesis))
        self.register_buffer("hk", hk)
        self.register_buffer("h", h)
        bands, taps = config.bands, analysis.shape[-1]
        self.forward_conv = Conv1d(1, bands, taps, stride=bands, pad=padding(taps, 1, mode))
        taps = synthesis.shape[-1]
        self.inverse_conv = Conv1d(bands, bands, taps, pad=padding(taps, 1, mode))
        signs = torch.ones(bands, 2)
        signs[1::2, 0] = -1
        self.register_buffer("even_signs", signs, persistent=False)
        self.register_buffer("odd_signs", signs.flip(1), persistent=False)
        self.forward_conv.weight.data = analysis
        self.inverse_conv.weight.data = synthesis

    def forward(self, x: Tensor) -> Tensor:
        """Split audio into bands.

        Args:
            x: shape ``[B, channels, T]``.

        Returns:
            Shape ``[B, channels * bands, T / bands]``; all bands of one channel, then those of the next.

        Raises:
            ShapeError: the audio has another number of channels.
        """
        self._check(x, self.channels)
        if self.bands == 1:
            return x
        if self.channels > 1:
            x = x.reshape(-1, 1, x.shape[-1])
        y = self._flip(self.forward_conv(x), self.odd_signs if self.late else self.even_signs)
        return y.reshape(-1, self.channels * self.bands, y.shape[-1]) if self.channels > 1 else y

    def inverse(self, y: Tensor) -> Tensor:
        """Join bands to audio.

        Args:
            y: shape ``[B, channels * bands, T]``.

        Returns:
            Shape ``[B, channels, T * bands]``.

        Raises:
            ShapeError: there is another number of bands.
        """
        self._check(y, self.channels * self.bands)
        if self.bands == 1:
            return y
        if self.channels > 1:
            y = y.reshape(-1, self.bands, y.shape[-1])
        signs = self.odd_signs if self.odd else self.even_signs
        u: Tensor = self.inverse_conv(self._flip(y, signs)) * self.bands
        x = u.flip(1).transpose(1, 2).reshape(u.shape[0], 1, -1)
        return x.reshape(-1, self.channels, x.shape[-1]) if self.channels > 1 else x

    def _flip(self, y: Tensor, signs: Tensor) -> Tensor:
        """Turn the sign of every other band in every other frame."""
        frames = y.shape[-1]
        return y * signs.repeat(1, -(-frames // 2))[:, :frames]

    def _check(self, x: Tensor, wanted: int) -> None:
        if x.dim() != 3 or x.shape[1] != wanted:
            raise ShapeError(
                "the filter bank cannot take this tensor",
                site="pqmf",
                wanted=f"[batch, {wanted}, time]",
                got=list(x.shape),
            )

    # -- delays ----------------------------------------------------------------------------------------------

    def follow_analysis(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` from audio to bands; frames that are late by an odd number have other signs."""
        if self.bands == 1:
            return delay
        after = walk.leaf(self.forward_conv, delay, self.channels)
        if walk.opens:
            self.late = not walk.as_original and after.frames % 2 == Fraction(1)
        return after

    def follow_synthesis(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` from bands to audio.

        Frames that are late by an odd number have their signs turned, which the original does not see.
        """
        if self.bands == 1:
            return delay
        if walk.opens:
            self.odd = not walk.as_original and delay.frames % 2 == Fraction(1)
        return walk.leaf(self.inverse_conv, delay, self.channels).faster(self.bands)
