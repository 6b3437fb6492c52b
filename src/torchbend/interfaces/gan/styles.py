"""What StyleGAN2 and StyleGAN3 share: latents become styles, and styles become images.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (arXiv 1812.04948).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchbend.interfaces.gan.layers import Dense
from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.stylegan3_sizes import StyleGAN3Sizes

__all__ = ["Mapping", "StyleGenerator", "StyleSizes"]

_RATE = 0.01


StyleSizes = StyleGAN2Sizes | StyleGAN3Sizes
"""How large such a generator is."""


def _normalised(x: Tensor) -> Tensor:
    """So large that the mean of the squares is 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class Mapping(nn.Module):
    """Latents to styles: some dense layers in a row, and the mean of all styles (``w_avg``)."""

    w_avg: Tensor

    def __init__(self, sizes: StyleSizes) -> None:
        super().__init__()
        inputs = sizes.z_dim
        if sizes.labels:
            self.embed = Dense(sizes.labels, sizes.w_dim)
            inputs += sizes.w_dim
        self.layers = sizes.mapping_layers
        for number in range(self.layers):
            layer = Dense(inputs if number == 0 else sizes.w_dim, sizes.w_dim, "lrelu", _RATE)
            self.add_module(f"fc{number}", layer)
        self.register_buffer("w_avg", torch.zeros(sizes.w_dim))
        self.labels = sizes.labels

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Args: ``z [B, z_dim]``, ``labels [B, classes]`` where there are any. Returns ``[B, w_dim]``."""
        x = _normalised(z)
        if self.labels:
            given = x.new_zeros(len(x), self.labels) if labels is None else labels
            x = torch.cat([x, _normalised(self.embed(given))], 1)
        for number in range(self.layers):
            x = getattr(self, f"fc{number}")(x)
        return x


class StyleGenerator(nn.Module):
    """A generator with styles; a subclass has a ``synthesis``.

    Args:
        sizes: how large it is.
    """

    synthesis: nn.Module

    def __init__(self, sizes: StyleSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.mapping = Mapping(sizes)

    @property
    def noisy(self) -> list[int]:
        """Pixels along a side of the noise that each layer takes; none where layers take none."""
        return []

    def map(self, z: Tensor, labels: Tensor | None = None, truncation: Tensor | None = None) -> Tensor:
        """Latents to styles.

        Args:
            z: shape ``[B, z_dim]``.
            labels: shape ``[B, classes]``, one of them 1, where the model has any.
            truncation: shape ``[styles]``: 1 leaves a style as it is, 0 makes it the mean of all styles.

        Returns:
            Shape ``[B, styles, w_dim]``: at first the same for each layer.
        """
        ws = self.mapping(z, labels)[:, None].expand(-1, self.sizes.styles, -1)
        return ws.clone() if truncation is None else torch.lerp(self.mapping.w_avg, ws, truncation[:, None])

    def synthesize(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Styles to images from -1 to 1; noise for each layer that takes any, instead of its own."""
        images: Tensor = self.synthesis(ws) if noise is None else self.synthesis(ws, noise)
        return images

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents to images from -1 to 1, shape ``[B, colours, H, W]``."""
        return self.synthesize(self.map(z, labels))
