"""Discriminators on the signal at several rates (MelGAN, arXiv 1910.06711)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.config import MultiScaleConfig
from torchbend.rave.discriminators.convnet import ConvNet, Features, check_audio

__all__ = ["MultiScaleDiscriminator"]


class MultiScaleDiscriminator(nn.Module):
    """One network for each rate; each rate is half of the one before.

    Args:
        config: its sizes.
        channels: of the audio.
    """

    def __init__(self, config: MultiScaleConfig, channels: int) -> None:
        super().__init__()
        self.channels = channels
        kernel, stride = (config.kernel_size,), (config.stride,)
        self.layers = nn.ModuleList(
            ConvNet(channels, config.capacity, kernel, stride, config.layers) for _ in range(config.scales)
        )

    def forward(self, x: Tensor) -> Features:
        """Features for each rate, ``[B, channels, time]`` each.

        Args:
            x: audio, shape ``[B, C, T]``.

        Raises:
            ShapeError: the signal has another number of channels, or is too short for the lowest rate.
        """
        check_audio(x, self.channels, 2 ** (len(self.layers) - 1), "MultiScaleDiscriminator")
        features: Features = []
        for scale, layer in enumerate(self.layers):
            x = F.avg_pool1d(x, 2) if scale else x
            features.append(layer(x))
        return features
