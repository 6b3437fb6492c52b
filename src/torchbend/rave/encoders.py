"""The networks from the input to the raw latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchbend.rave.activations import activation, leaky_relu
from torchbend.rave.adain import AdaIN
from torchbend.rave.config import EncoderV1Config, EncoderV2Config, RAVEConfig
from torchbend.rave.convolution import Conv1d, NormConv1d
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.recurrent import GRU
from torchbend.rave.streaming import Delay, Walk, follow
from torchbend.rave.units import dilated_residual

__all__ = ["EncoderV1", "EncoderV2", "build_encoder"]


class SampleNorm(nn.Module):
    """Divides each frame by its norm over channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        norm: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return x / norm


class EncoderV1(nn.Module):
    """Strided convolutions with batch normalisation (arXiv 2111.05011, section 3 and appendix).

    Args:
        config: its sizes.
        inputs: channels of the input.
        latent_size: of the latents.
        outputs: values for each latent: 2 for mean and scale, each from one half of the features.
        mode: padding.
    """

    def __init__(
        self, config: EncoderV1Config, inputs: int, latent_size: int, outputs: int, mode: PaddingMode
    ) -> None:
        super().__init__()
        channels = config.capacity
        layers: list[nn.Module] = [Conv1d(inputs, channels, 7, pad=padding(7, 1, mode))]
        for ratio in config.ratios:
            layers += [_norm(config, channels), leaky_relu()]
            kernel = 2 * ratio + 1
            layers.append(Conv1d(channels, 2 * channels, kernel, stride=ratio, pad=padding(kernel, 1, mode)))
            channels *= 2
            for _ in range(config.repeat_layers - 1):
                layers += [_norm(config, channels), leaky_relu()]
                layers.append(Conv1d(channels, channels, 3, pad=padding(3, 1, mode)))
        layers.append(leaky_relu())
        layers.append(Conv1d(channels, latent_size * outputs, 5, groups=outputs, pad=padding(5, 1, mode)))
        self.net = nn.Sequential(*layers)

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the layers; the original aligns them as if nothing came before."""
        return follow(self.net, Delay(delay.frames, 0) if walk.as_original else delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, latent_size * outputs, T / prod(ratios)]``."""
        return self.net(x)  # type: ignore[no-any-return]


def _norm(config: EncoderV1Config, channels: int) -> nn.Module:
    return SampleNorm() if config.sample_norm else nn.BatchNorm1d(channels)


class EncoderV2(nn.Module):
    """Dilated residual units before each strided convolution, all with weight normalisation.

    Args:
        config: its sizes.
        inputs: channels of the input.
        latent_size: of the latents.
        outputs: values for each latent: 2 for mean and scale.
        mode: padding.
    """

    def __init__(
        self, config: EncoderV2Config, inputs: int, latent_size: int, outputs: int, mode: PaddingMode
    ) -> None:
        super().__init__()
        kernel, channels = config.kernel_size, config.capacity
        first = 2 * kernel + 1
        layers: list[nn.Module] = [NormConv1d(inputs, channels, first, pad=padding(first, 1, mode))]
        for ratio, dilations in zip(config.ratios, config.dilations, strict=False):
            for dilation in dilations:
                layers += [AdaIN(channels)] if config.adain else []
                layers.append(dilated_residual(channels, kernel, dilation, mode))
            layers.append(activation(config.activation, channels))
            wider = channels * (ratio if config.keep_dim else 2)
            pad = padding(2 * ratio, 1, mode)
            layers.append(NormConv1d(channels, wider, 2 * ratio, stride=ratio, pad=pad))
            channels = wider
        layers.append(activation(config.activation, channels))
        layers.append(NormConv1d(channels, latent_size * outputs, kernel, pad=padding(kernel, 1, mode)))
        if config.recurrent_layers:
            layers.append(GRU(latent_size * outputs, config.recurrent_layers))
        self.net = nn.Sequential(*layers)

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the layers; the original aligns none of them."""
        return follow(self.net, Delay(delay.frames, None) if walk.as_original else delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, latent_size * outputs, T / prod(ratios)]``."""
        return self.net(x)  # type: ignore[no-any-return]


def build_encoder(config: RAVEConfig) -> EncoderV1 | EncoderV2:
    """The network of a configuration."""
    outputs = config.encoder_outputs // config.latent_size
    arguments = (config.input_size, config.latent_size, outputs, config.padding)
    if isinstance(config.encoder, EncoderV1Config):
        return EncoderV1(config.encoder, *arguments)
    return EncoderV2(config.encoder, *arguments)
