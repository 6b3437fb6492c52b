"""How large a StyleGAN3 is, and what each of its layers lets pass.

Karras et al., "Alias-Free Generative Adversarial Networks" (arXiv 2106.12423), section 3.2 and appendix C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.interfaces.gan.stylegan3_filters import lowpass

__all__ = ["FILTER_SIZE", "MARGIN", "LayerSizes", "StyleGAN3Sizes"]

FILTER_SIZE = 6
"""Taps of a filter, for each time that it makes larger or smaller."""

MARGIN = 10
"""Pixels around what is to be seen, at each resolution."""

_FIRST_CUTOFF = 2.0
_FIRST_STOPBAND = 2**2.1
_LAST_STOPBAND = 2**0.3
_CRITICAL = 2


@dataclass(frozen=True, eq=False)
class LayerSizes:
    """A layer.

    Attributes:
        inputs, outputs: channels.
        in_size, out_size: pixels along a side.
        kernel: of the convolution, pixels along a side.
        up, down: how many times larger the layer makes its image for the leaky ReLU, and smaller again.
        up_filter, down_filter: None for none.
        to_image: it is the last one, which makes colours.
    """

    inputs: int
    outputs: int
    in_size: int
    out_size: int
    kernel: int
    up: int = 1
    down: int = 1
    up_filter: Tensor | None = None
    down_filter: Tensor | None = None
    to_image: bool = False


@dataclass(frozen=True, eq=False)
class StyleGAN3Sizes:
    """The sizes of a StyleGAN3.

    Attributes:
        layers: in their order.
        z_dim, w_dim, labels, mapping_layers, clamp: as of `StyleGAN2Sizes`.
    """

    layers: tuple[LayerSizes, ...]
    z_dim: int = 512
    w_dim: int = 512
    labels: int = 0
    mapping_layers: int = 2
    clamp: float | None = 256.0

    @property
    def styles(self) -> int:
        """Styles that an image is made of: one for the waves at the beginning, one for each layer."""
        return len(self.layers) + 1

    @property
    def resolution(self) -> int:
        """Pixels along a side of the image."""
        return self.layers[-1].out_size

    @property
    def image_channels(self) -> int:
        """Colours."""
        return self.layers[-1].outputs

    @property
    def input_size(self) -> int:
        """Pixels along a side of the waves."""
        return self.layers[0].in_size

    @classmethod
    def at(
        cls,
        resolution: int,
        *,
        rotation: bool = False,
        channel_base: int | None = None,
        channel_max: int | None = None,
        layers: int = 14,
        z_dim: int = 512,
        w_dim: int = 512,
        labels: int = 0,
        mapping_layers: int = 2,
    ) -> StyleGAN3Sizes:
        """The sizes that published models of a resolution have.

        Args:
            resolution: pixels along a side: 64, 128, ..., 1024.
            rotation: configuration R, which turns with its waves; otherwise T, which moves with them.
            channel_base: channels times cutoff, at most; 32768 for T, 65536 for R.
            channel_max: channels at most; 512 for T, 1024 for R.
            layers: without the last one.
            z_dim, w_dim, labels, mapping_layers: as of the class.
        """
        base = channel_base or (65536 if rotation else 32768)
        most = channel_max or (1024 if rotation else 512)
        bands = [_Band.at(number, layers, resolution) for number in range(layers + 1)]
        channels = [min(round(base / 2 / band.cutoff), most) for band in bands]
        channels[-1] = 3
        sizes = [band.rate + 2 * MARGIN for band in bands]
        sizes[-2:] = [resolution, resolution]
        made = []
        for number, band in enumerate(bands):
            before = bands[max(number - 1, 0)]
            from_size, inputs = sizes[max(number - 1, 0)], channels[max(number - 1, 0)]
            last = number == layers
            between = max(band.rate, before.rate) * (1 if last else 2)
            up, down = between // before.rate, between // band.rate
            round_filter = rotation and not band.critical
            made.append(
                LayerSizes(
                    inputs,
                    channels[number],
                    from_size,
                    sizes[number],
                    1 if rotation or last else 3,
                    up,
                    down,
                    None if up == 1 or last else before.filter(up * FILTER_SIZE, between, False),
                    None if down == 1 or last else band.filter(down * FILTER_SIZE, between, round_filter),
                    last,
                )
            )
        return cls(tuple(made), z_dim, w_dim, labels, mapping_layers)


@dataclass(frozen=True)
class _Band:
    """What passes at a layer's end: up to ``cutoff``; nothing from ``cutoff + half_width`` on."""

    cutoff: float
    half_width: float
    rate: int
    critical: bool

    @classmethod
    def at(cls, number: int, layers: int, resolution: int) -> _Band:
        """Cutoff and stopband grow by the same factor from layer to layer, but for the last two."""
        part = min(number / (layers - _CRITICAL), 1.0)
        last = resolution / 2
        cutoff = _FIRST_CUTOFF * (last / _FIRST_CUTOFF) ** part
        stopband = _FIRST_STOPBAND * (last * _LAST_STOPBAND / _FIRST_STOPBAND) ** part
        rate = 2 ** math.ceil(math.log2(min(stopband * 2, resolution)) - 1e-9)
        return cls(cutoff, max(stopband, rate / 2) - cutoff, rate, math.isclose(cutoff * 2, rate))

    def filter(self, taps: int, rate: int, radial: bool) -> Tensor:
        with torch.device("cpu"):
            return lowpass(taps, self.cutoff, self.half_width * 2, rate, radial)
