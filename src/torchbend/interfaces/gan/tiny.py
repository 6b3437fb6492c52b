"""A tiny StyleGAN2 with random weights: to try out what can be done, without a download."""

from __future__ import annotations

import torch

from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.stylegan2 import StyleGAN2

__all__ = ["tiny_gan"]


def tiny_gan(seed: int = 0) -> StyleGAN2:
    """A StyleGAN2 for images of 32 x 32 pixels: coloured clouds. ``BendedGAN(tiny_gan())``.

    Args:
        seed: of its weights.
    """
    sizes = StyleGAN2Sizes((32, 32, 24, 16), z_dim=32, w_dim=32, mapping_layers=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StyleGAN2(sizes).eval().requires_grad_(False)
        for layer in model.synthesis.convolutions:
            layer.noise_strength.fill_(0.1)
            layer.bias.normal_(0.0, 0.2)
        for side in sizes.resolutions:
            getattr(model.synthesis, f"b{side}").torgb.weight.mul_(0.3)  # colours that can be told apart
        z = torch.randn(1024, sizes.z_dim)
    model.mapping.w_avg.copy_(model.mapping(z).mean(0))
    return model
