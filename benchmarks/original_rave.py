"""The design of the first implementation of RAVE, rebuilt for timings from its published description.

Weight norm is folded (or computed at each call, as outside of an export), convolutions pad with zeros by a
copy, and streams keep 64 rows for each cache, whatever the batch. Everything has the default memory layout.
The layers are made from a model of this package: same weights, same output.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.activations import Snake
from torchbend.rave.adain import AdaIN
from torchbend.rave.branches import Residual
from torchbend.rave.convolution import Conv1d, ConvTranspose1d
from torchbend.rave.generator_v1 import GeneratorV1
from torchbend.rave.generator_v2 import GeneratorV2
from torchbend.rave.model import RAVE
from torchbend.rave.normalisation import Normalised
from torchbend.rave.pqmf import PQMF
from torchbend.rave.streaming import DelayLine
from torchbend.rave.units import Inner, ResidualStack

__all__ = ["OriginalDesign"]

_ROWS = 64


class OriginalDesign(nn.Module):
    """Encode, decode and forward as the original computes them; `torch.jit.script` takes it.

    Args:
        model: variational, in sub-bands, without filtered noise; streaming ``as_original``, or offline.
        weight_norm: compute normalised weights at each call.
    """

    def __init__(self, model: RAVE, weight_norm: bool = False) -> None:
        super().__init__()
        self.analysis = _Analysis(model.pqmf)
        self.encoder = _converted(model.encoder.get_submodule("encoder.net"), weight_norm)
        self.decoder = _decoder(model.decoder, weight_norm)
        self.synthesis = _Synthesis(model.pqmf)

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        """Shape ``[B, 1, T]`` to ``[B, 2 * latent_size, T / ratio]``."""
        raw: Tensor = self.encoder(self.analysis(x))
        return raw

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        """Shape ``[B, latent_size, T]`` to ``[B, 1, T * ratio]``."""
        audio: Tensor = self.synthesis(self.decoder(z))
        return audio

    def forward(self, x: Tensor) -> Tensor:
        """Encode, sample, decode."""
        mean, scale = self.encode(x).chunk(2, 1)
        return self.decode(mean + (F.softplus(scale) + 1e-4) * torch.randn_like(mean))


class _Cache(nn.Module):
    """The last frames of the past, before the block; ``crop`` drops as many at the end: a delay."""

    pad: Tensor

    def __init__(self, channels: int, frames: int, crop: bool) -> None:
        super().__init__()
        self.frames, self.crop = frames, crop
        self.register_buffer("pad", torch.zeros(_ROWS, channels, frames))

    def forward(self, x: Tensor) -> Tensor:
        if self.frames == 0:
            return x
        full = torch.cat([self.pad[: x.shape[0]], x], -1)
        self.pad[: x.shape[0]] = full[..., -self.frames :]
        return full[..., : -self.frames] if self.crop else full


class _Weight(nn.Module):
    def __init__(self, layer: Conv1d | ConvTranspose1d, weight_norm: bool) -> None:
        super().__init__()
        self.live = weight_norm and isinstance(layer, Normalised)
        v: Tensor = layer.weight
        g = torch.ones(1)
        if weight_norm and isinstance(layer, Normalised):
            v, g = layer.weight_v, layer.weight_g
        self.v = nn.Parameter(v.detach().clone(memory_format=torch.contiguous_format))
        self.g = nn.Parameter(g.detach().clone())

    def forward(self) -> Tensor:
        return torch._weight_norm(self.v, self.g, 0) if self.live else self.v


class _Conv(nn.Module):
    def __init__(self, layer: Conv1d, weight_norm: bool) -> None:
        super().__init__()
        self.weight = _Weight(layer, weight_norm)
        self.left, self.right = layer.pad
        self.stride, self.dilation, self.groups = layer.stride, layer.dilation, layer.groups
        self.streams = layer.cache is not None
        self.late = _Cache(layer.inputs, layer.late if self.streams else 0, True)
        self.past = _Cache(layer.inputs, sum(layer.pad) if self.streams else 0, False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.past(self.late(x)) if self.streams else F.pad(x, (self.left, self.right))
        return F.conv1d(x, self.weight(), None, self.stride, 0, self.dilation, self.groups)


class _Transposed(nn.Module):
    cache: Tensor

    def __init__(self, layer: ConvTranspose1d, weight_norm: bool) -> None:
        super().__init__()
        self.weight = _Weight(layer, weight_norm)
        self.stride = layer.stride
        self.streams = layer.cache is not None
        self.register_buffer("cache", torch.zeros(_ROWS if self.streams else 0, layer.outputs, layer.stride))

    def forward(self, x: Tensor) -> Tensor:
        if not self.streams:
            return F.conv_transpose1d(x, self.weight(), None, self.stride, self.stride // 2)
        y = F.conv_transpose1d(x, self.weight(), None, self.stride)
        y[..., : self.stride] += self.cache[: x.shape[0]]
        self.cache[: x.shape[0]] = y[..., -self.stride :]
        return y[..., : -self.stride]


class _Sum(nn.Module):
    """A unit beside its delayed input."""

    def __init__(self, unit: nn.Module, delay: nn.Module) -> None:
        super().__init__()
        self.unit, self.delay = unit, delay

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.unit(x) + self.delay(x)
        return total


class _Snake(nn.Module):
    def __init__(self, layer: Snake) -> None:
        super().__init__()
        self.alpha = nn.Parameter(layer.alpha.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha + 1e-9).reciprocal() * (self.alpha * x).sin().pow(2)


class _Idle(nn.Module):
    """An adaptive normalisation that has learnt nothing: it looks at its flags and gives what it got."""

    learn_x: Tensor
    learn_y: Tensor
    count_x: Tensor
    count_y: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("learn_x", "learn_y", "count_x", "count_y"):
            self.register_buffer(name, torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if bool(self.learn_y) or bool(self.learn_x):
            return x.clone()
        return x.clone() if bool(self.count_x) and bool(self.count_y) else x


class _Analysis(nn.Module):
    def __init__(self, bank: PQMF) -> None:
        super().__init__()
        self.conv = _Conv(bank.forward_conv, False)

    def forward(self, x: Tensor) -> Tensor:
        return _signs(self.conv(x))


class _Synthesis(nn.Module):
    def __init__(self, bank: PQMF) -> None:
        super().__init__()
        self.conv, self.bands = _Conv(bank.inverse_conv, False), bank.bands

    def forward(self, y: Tensor) -> Tensor:
        u: Tensor = self.conv(_signs(y)) * self.bands
        return u.flip(1).permute(0, 2, 1).reshape(u.shape[0], 1, -1)


def _signs(y: Tensor) -> Tensor:
    signs = torch.ones_like(y)
    signs[:, 1::2, ::2] = -1
    return y * signs


class _Modulated(nn.Module):
    """The end of the second generator."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor) -> Tensor:
        wave, amplitude = self.net(z).chunk(2, 1)
        return torch.tanh(wave * torch.sigmoid(amplitude))


class _Loudness(nn.Module):
    """The end of the first generator."""

    def __init__(self, net: nn.Module, wave: nn.Module, loudness: nn.Module) -> None:
        super().__init__()
        self.net, self.wave, self.loudness = net, wave, loudness

    def forward(self, z: Tensor) -> Tensor:
        x = self.net(z)
        return torch.tanh(self.wave(x)) * (2 * torch.sigmoid(self.loudness(x)) ** 2.3 + 1e-7)


def _decoder(decoder: GeneratorV1 | GeneratorV2, weight_norm: bool) -> nn.Module:
    net = _converted(decoder.net, weight_norm)
    if isinstance(decoder, GeneratorV2):
        return _Modulated(net)
    parts = zip(list(decoder.synth.branches)[:2], decoder.synth.lines, strict=False)
    wave, loudness = (
        nn.Sequential(_converted(part, weight_norm), _converted(line, False)) for part, line in parts
    )
    return _Loudness(net, wave, loudness)


def _converted(module: nn.Module, weight_norm: bool) -> nn.Module:
    """The layer of the original's design in the place of one of ours, or of a sequence of them."""
    made: nn.Module
    if isinstance(module, Conv1d):
        made = _Conv(module, weight_norm)
    elif isinstance(module, ConvTranspose1d):
        made = _Transposed(module, weight_norm)
    elif isinstance(module, DelayLine):
        made = _Cache(module.channels, 0 if module.cache is None else module.frames, True)
    elif isinstance(module, Residual):
        unit, line = module.aligned.branches[0], module.aligned.lines[1]
        made = _Sum(_converted(unit, weight_norm), _converted(line, weight_norm))
    elif isinstance(module, ResidualStack):
        (chain,) = module.net.branches
        made = _converted(chain, weight_norm)
    elif isinstance(module, Inner):
        made = _converted(module.net, weight_norm)
    elif isinstance(module, nn.Sequential):
        made = nn.Sequential(*(_converted(layer, weight_norm) for layer in module))
    elif isinstance(module, Snake):
        made = _Snake(module)
    else:
        made = _Idle() if isinstance(module, AdaIN) else module
    return made
