"""How large a StyleGAN2 is."""

from __future__ import annotations

from dataclasses import dataclass

from torchbend.errors import CheckpointError

__all__ = ["StyleGAN2Sizes"]


@dataclass(frozen=True)
class StyleGAN2Sizes:
    """The sizes of a StyleGAN2.

    Attributes:
        channels: at 4, 8, 16, ... pixels along a side, up to the image's.
        z_dim: numbers in a latent.
        w_dim: numbers in a style.
        labels: classes of a conditional model; 0 for others.
        mapping_layers: 8 in the papers; 2 in many that were trained by NVIDIA's ADA.
        image_channels: colours.
        clamp: what layers make is never further from 0; 256 in models that were trained with half precision.
    """

    channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    labels: int = 0
    mapping_layers: int = 8
    image_channels: int = 3
    clamp: float | None = None

    def __post_init__(self) -> None:
        counts = (*self.channels, self.z_dim, self.w_dim, self.mapping_layers)
        if not self.channels or min(counts) < 1 or self.labels < 0 or self.image_channels not in (1, 3):
            raise CheckpointError(
                "no StyleGAN2 has these sizes",
                wanted="channels for at least one resolution, 1 or 3 colours, nothing below 1",
                got=repr(self),
            )

    @classmethod
    def at(
        cls,
        resolution: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        z_dim: int = 512,
        w_dim: int = 512,
        labels: int = 0,
        mapping_layers: int = 8,
        clamp: float | None = None,
    ) -> StyleGAN2Sizes:
        """The sizes that published models of a resolution have.

        Args:
            resolution: pixels along a side: 4, 8, 16, ...
            channel_base: channels times resolution, at most; 32768 is config F, 16384 half as wide.
            channel_max: channels at most.
            z_dim, w_dim, labels, mapping_layers, clamp: as of the class.

        Raises:
            CheckpointError: the resolution is no power of 2, or below 4.
        """
        if resolution < 4 or resolution & (resolution - 1):
            raise CheckpointError(
                "a StyleGAN2 doubles from 4 pixels on",
                site="resolution",
                wanted="4, 8, 16, ..., 1024",
                got=resolution,
            )
        sides = [4 * 2**n for n in range(resolution.bit_length() - 2)]
        channels = tuple(min(channel_base // side, channel_max) for side in sides)
        return cls(channels, z_dim, w_dim, labels, mapping_layers, clamp=clamp)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels along a side, of each block."""
        return tuple(4 * 2**number for number in range(len(self.channels)))

    @property
    def resolution(self) -> int:
        """Pixels along a side of the image."""
        return self.resolutions[-1]

    @property
    def styles(self) -> int:
        """Styles that an image is made of: one for each convolution, and one for the last colours."""
        return 2 * len(self.channels)
