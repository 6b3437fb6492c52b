"""StyleGAN2's generator.

Written from the paper: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (arXiv
1912.04958, with the architecture of skips, figure 7b). Weights have the names of the public checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchbend.errors import ShapeError
from torchbend.interfaces.gan.filtering import binomial, upsampled
from torchbend.interfaces.gan.layers import Styled, ToImage
from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.styles import StyleGenerator

__all__ = ["StyleGAN2", "Synthesis"]


class Block(nn.Module):
    """One resolution: one or two convolutions, and the colours that it adds to the image."""

    resample_filter: Tensor

    def __init__(self, sizes: StyleGAN2Sizes, number: int) -> None:
        super().__init__()
        outputs, side, w_dim = sizes.channels[number], sizes.resolutions[number], sizes.w_dim
        self.first = number == 0
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, side, side))
        else:
            inputs = sizes.channels[number - 1]
            self.conv0 = Styled(inputs, outputs, w_dim, side, up=True, clamp=sizes.clamp)
        self.conv1 = Styled(outputs, outputs, w_dim, side, clamp=sizes.clamp)
        self.torgb = ToImage(outputs, sizes.image_channels, w_dim, clamp=sizes.clamp)
        self.register_buffer("resample_filter", binomial())

    @property
    def convolutions(self) -> list[Styled]:
        """In their order."""
        return [self.conv1] if self.first else [self.conv0, self.conv1]

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Sequence[Tensor], noise: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """Args: channels and image of the block before; styles for the layers; noise for the convolutions."""
        if x is None:
            x = self.const.expand(ws[0].shape[0], -1, -1, -1)
        for number, layer in enumerate(self.convolutions):
            x = layer(x, ws[number], noise[number])
        colours: Tensor = self.torgb(x, ws[-1])
        return x, colours if image is None else upsampled(image, self.resample_filter) + colours


class Synthesis(nn.Module):
    """Styles to images: blocks ``b4``, ``b8``, ..., each twice as large as the one before."""

    def __init__(self, sizes: StyleGAN2Sizes) -> None:
        super().__init__()
        self.resolutions = sizes.resolutions
        for number, side in enumerate(self.resolutions):
            self.add_module(f"b{side}", Block(sizes, number))

    @property
    def convolutions(self) -> list[Styled]:
        """All of them in their order; each can be given noise."""
        return [layer for side in self.resolutions for layer in getattr(self, f"b{side}").convolutions]

    def forward(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Args: ``ws [B, styles, w_dim]``, noise for each convolution. Returns ``[B, colours, H, W]``."""
        styles = ws.unbind(1)
        if len(styles) != 2 * len(self.resolutions):
            raise ShapeError(
                "there is to be a style for each layer",
                site="ws",
                wanted=f"[batch, {2 * len(self.resolutions)}, w_dim]",
                got=f"{len(styles)} styles",
            )
        given: Sequence[Tensor | None] = noise or [None] * (2 * len(self.resolutions) - 1)
        x: Tensor | None = None
        image: Tensor | None = None
        at = 0
        for side in self.resolutions:
            count = 1 if side == 4 else 2
            block = getattr(self, f"b{side}")
            x, image = block(x, image, styles[at : at + count + 1], given[at : at + count])
            at += count
        made: Tensor = image  # type: ignore[assignment]
        return made


class StyleGAN2(StyleGenerator):
    """The generator; without weights of its own it makes noise.

    Args:
        sizes: how large it is.
    """

    synthesis: Synthesis

    def __init__(self, sizes: StyleGAN2Sizes) -> None:
        super().__init__(sizes)
        self.synthesis = Synthesis(sizes)

    @property
    def noisy(self) -> list[int]:
        """Pixels along a side of the noise that each convolution takes."""
        return [layer.resolution for layer in self.synthesis.convolutions]
