"""The second generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from torchbend.rave.activations import activation
from torchbend.rave.adain import AdaIN
from torchbend.rave.config import GeneratorV2Config
from torchbend.rave.convolution import NormConv1d, NormConvTranspose1d
from torchbend.rave.noise import NoiseV2
from torchbend.rave.padding import PaddingMode, padding
from torchbend.rave.recurrent import GRU
from torchbend.rave.streaming import Delay, DelayLine, Walk, follow
from torchbend.rave.units import dilated_residual

__all__ = ["GeneratorV2"]


class GeneratorV2(nn.Module):
    """Transposed convolutions, each with dilated residual units, all with weight normalisation.

    Args:
        config: sizes.
        inputs: channels of the latents, noise included.
        outputs: channels of the output.
        mode: padding.
    """

    def __init__(self, config: GeneratorV2Config, inputs: int, outputs: int, mode: PaddingMode) -> None:
        super().__init__()
        kernel, ratios = config.kernel_size, config.ratios
        channels = config.capacity * (math.prod(ratios) if config.keep_dim else 2 ** len(ratios))
        layers: list[nn.Module] = []
        if config.recurrent_layers:
            layers.append(GRU(inputs, config.recurrent_layers))
        layers.append(NormConv1d(inputs, channels, kernel, pad=padding(kernel, 1, mode)))
        for ratio, dilations in reversed(list(zip(ratios, config.dilations, strict=False))):
            narrower = channels // (ratio if config.keep_dim else 2)
            layers.append(activation(config.activation, channels))
            layers.append(NormConvTranspose1d(channels, narrower, ratio))
            for dilation in dilations:
                layers += [AdaIN(narrower)] if config.adain else []
                layers.append(dilated_residual(narrower, kernel, dilation, mode))
            channels = narrower
        layers.append(activation(config.activation, channels))
        last = 2 * kernel + 1
        wide = outputs * (2 if config.amplitude_modulation else 1)
        waveform = NormConv1d(channels, wide, last, pad=padding(last, 1, mode))
        self.amplitude_modulation = config.amplitude_modulation
        if config.noise is None:
            self.net = nn.Sequential(*layers, waveform)
        else:
            self.net = nn.Sequential(*layers)
            self.waveform_module = waveform
            self.noise_module = NoiseV2(config.noise, channels, outputs)
            self.lines = nn.ModuleList([DelayLine(wide), DelayLine(outputs)])

    @property
    def has_noise(self) -> bool:
        """Whether filtered noise is added to the waveform."""
        return "noise_module" in self._modules

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the layers; the original aligns neither them nor the branches."""
        delay = follow(self.net, Delay(delay.frames, None) if walk.as_original else delay, walk)
        if not self.has_noise:
            return delay
        ends = [follow(self.waveform_module, delay, walk), follow(self.noise_module, delay, walk)]
        if walk.as_original:
            return ends[0]
        latest = max(ends, key=lambda end: end.frames)
        for line, end in zip(self.lines, ends, strict=True):
            walk.line(line, end, int(latest.frames - end.frames))  # type: ignore[arg-type]
        return latest

    def forward(self, z: Tensor) -> Tensor:
        """Shape ``[B, inputs, T]`` to ``[B, outputs, T * prod(ratios)]``."""
        features = self.net(z)
        wave = self.lines[0](self.waveform_module(features)) if self.has_noise else features
        if self.amplitude_modulation:
            wave, amplitude = wave.chunk(2, 1)
            wave = wave * torch.sigmoid(amplitude)
        if self.has_noise:
            wave = wave + self.lines[1](self.noise_module(features))
        return torch.tanh(wave)
