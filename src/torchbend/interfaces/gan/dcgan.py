"""The generator of DCGAN: transposed convolutions that double the image's size.

Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", arXiv 1511.06434.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["DCGAN"]


class DCGAN(nn.Module):
    """Latents to images: ``main.0``, ``main.3``, ... are convolutions, each but the last with norm and ReLU.

    Args:
        latent_size: numbers in a latent.
        channels: at 4, 8, 16, ... pixels along a side; the image is twice as large as the last.
        image_channels: colours.
    """

    def __init__(
        self, latent_size: int = 100, channels: Sequence[int] = (512, 256, 128, 64), image_channels: int = 3
    ) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.resolution = 4 * 2 ** len(channels)
        layers: list[nn.Module] = []
        inputs = latent_size
        for number, outputs in enumerate(channels):
            stride, padding = (1, 0) if number == 0 else (2, 1)
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        layers += [nn.ConvTranspose2d(inputs, image_channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Args: ``z [B, latent_size]`` (or with ones behind). Returns ``[B, colours, H, W]`` from -1 to 1."""
        image: Tensor = self.main(z.reshape(z.shape[0], -1, 1, 1))
        return image
