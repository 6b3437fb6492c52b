"""Discriminators on the signal folded at several periods (HiFi-GAN, arXiv 2010.05646)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.config import MultiPeriodConfig
from torchbend.rave.discriminators.convnet import ConvNet, Features, check_audio

__all__ = ["MultiPeriodDiscriminator", "fold"]


def fold(x: Tensor, period: int) -> Tensor:
    """The signal in rows of one period.

    Args:
        x: shape ``[B, C, T]``, ``T`` a multiple of the period.
        period: in samples.

    Returns:
        Shape ``[B, C, T / period, period]``.
    """
    batch, channels, length = x.shape
    return x.reshape(batch, channels, length // period, period)


class MultiPeriodDiscriminator(nn.Module):
    """One two-dimensional network for each period.

    Args:
        config: its sizes.
        channels: of the audio.
    """

    def __init__(self, config: MultiPeriodConfig, channels: int) -> None:
        super().__init__()
        self.channels, self.periods = channels, config.periods
        kernel, stride = (config.kernel_size, 1), (config.stride, 1)
        self.layers = nn.ModuleList(
            ConvNet(channels, config.capacity, kernel, stride, config.layers) for _ in config.periods
        )

    def forward(self, x: Tensor) -> Features:
        """Features for each period, ``[B, channels, rows, period]`` each.

        Args:
            x: audio, shape ``[B, C, T]``; zeros fill its last row.

        Raises:
            ShapeError: the signal has another number of channels, or no samples.
        """
        check_audio(x, self.channels, 1, "MultiPeriodDiscriminator")
        return [
            layer(fold(F.pad(x, (0, -x.shape[-1] % period)), period))
            for layer, period in zip(self.layers, self.periods, strict=True)
        ]
