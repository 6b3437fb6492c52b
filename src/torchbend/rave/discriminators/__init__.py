"""The discriminators: networks that learn to tell a model's output from its target.

Each takes audio ``[B, C, T]`` and gives, for each of its networks, the list of its features; the last
feature is the map of scores.
"""

from __future__ import annotations

from torch import Tensor, nn

from torchbend.errors import RAVEConfigError
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    SpectralConfig,
)
from torchbend.rave.discriminators.convnet import Features
from torchbend.rave.discriminators.descript import DescriptDiscriminator
from torchbend.rave.discriminators.multi_period import MultiPeriodDiscriminator
from torchbend.rave.discriminators.multi_scale import MultiScaleDiscriminator
from torchbend.rave.discriminators.spectral import MultiScaleSpectralDiscriminator

__all__ = ["CombinedDiscriminator", "Features", "build_discriminator"]


class CombinedDiscriminator(nn.Module):
    """Several discriminators side by side.

    Args:
        config: the parts.
        channels: of the audio.
    """

    def __init__(self, config: CombinedConfig, channels: int) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(build_discriminator(part, channels) for part in config.parts)

    def forward(self, x: Tensor) -> Features:
        """The features of all networks of all parts, in their order.

        Args:
            x: audio, shape ``[B, C, T]``.

        Raises:
            ShapeError: a part refuses the signal.
        """
        return [features for part in self.discriminators for features in part(x)]


def build_discriminator(config: DiscriminatorConfig, channels: int) -> nn.Module:
    """The discriminator of a configuration.

    Args:
        config: which one, and its sizes.
        channels: of the audio, at least 1.

    Returns:
        A module from audio ``[B, C, T]`` to `Features`.

    Raises:
        RAVEConfigError: the configuration is of no known kind, or the number of channels is not positive.
    """
    if channels < 1:
        raise RAVEConfigError(
            "a discriminator without channels", site="channels", wanted="at least 1", got=channels
        )
    if isinstance(config, MultiScaleConfig):
        return MultiScaleDiscriminator(config, channels)
    if isinstance(config, MultiPeriodConfig):
        return MultiPeriodDiscriminator(config, channels)
    if isinstance(config, SpectralConfig):
        return MultiScaleSpectralDiscriminator(config, channels)
    if isinstance(config, CombinedConfig):
        return CombinedDiscriminator(config, channels)
    if isinstance(config, DescriptConfig):
        return DescriptDiscriminator(config, channels)
    raise RAVEConfigError(
        "a discriminator of no known kind",
        site="discriminator",
        wanted="one of the discriminators' configurations of torchbend.rave.config",
        got=type(config).__name__,
        next_step="combine several with CombinedConfig",
    )
