"""EnCodec as MusicGen and AudioGen use it: sound to codes and back, as a whole or as a stream.

The layers are those of transformers' ``EncodecModel``, arranged under audiocraft's names.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.interfaces.weight_norm import keep_finite

__all__ = ["Codec", "Tail"]


class Tail:
    """What a stream of frames has to remember from block to block.

    Attributes:
        frames: quantized frames that the first layer still needs, ``[B, size, n]``; ``ahead`` of them have
            gone through it already.
        hidden: states of the recurrent layers.
        heard: their output, as much as the later layers still need; the sound of the last ``late`` frames
            of it has not been given out.
        final: whether the next block is the last.
    """

    def __init__(self) -> None:
        self.frames: Tensor | None = None
        self.ahead = 0
        self.hidden: tuple[Tensor, Tensor] | None = None
        self.heard: Tensor | None = None
        self.late = 0
        self.final = False


class Recurrent(nn.Module):
    """LSTM layers beside which the signal passes.

    Args:
        lstm: transformers' layers.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x: Tensor, hidden: Any = None) -> tuple[Tensor, Any]:
        """Shape: x ``[B, size, T]``, result the same; and the states after it."""
        steps = x.permute(2, 0, 1)
        out, hidden = self.lstm(steps, hidden)
        return (out + steps).permute(1, 2, 0), hidden


class Encoder(nn.Module):
    """Sound to frames of numbers.

    Args:
        layers: transformers' layers.
    """

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.model = _with_recurrent(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x ``[B, 1, samples]``, result ``[B, size, frames]``."""
        for layer in self.model:
            x = layer(x)[0] if isinstance(layer, Recurrent) else layer(x)
        return x


class Decoder(nn.Module):
    """Frames of numbers to sound.

    Args:
        layers: transformers' layers.
        ratios: by which each stage has more samples than the one before.
    """

    def __init__(self, layers: nn.ModuleList, ratios: list[int]) -> None:
        super().__init__()
        self.model = _with_recurrent(layers)
        self.hop = math.prod(ratios)
        self.before = _frames_around(self.model[:1])
        self.around = _frames_around(self.model[2:])

    @property
    def late(self) -> int:
        """Frames that have to follow before the sound of one is certain."""
        return self.before + self.around

    def forward(self, x: Tensor, tail: Tail | None = None) -> Tensor:
        """Shape: x ``[B, size, frames]``, result ``[B, 1, samples]``: less at first, where it is a stream."""
        first, recurrent, *rest = self.model
        if tail is None:
            x, _ = recurrent(first(x))
            for layer in rest:
                x = layer(x)
            return x
        x = self._recurred(first, recurrent, x, tail)
        skip, done = self._ready(x, tail)
        if done <= skip or tail.heard is None:
            return x.new_zeros(x.shape[0], 1, 0)
        out = tail.heard
        for layer in rest:
            out = layer(out)
        out = out[..., skip * self.hop : done * self.hop]
        total = tail.heard.shape[-1]
        tail.late = total - done
        tail.heard = tail.heard[..., max(0, done - self.around) :]
        return out

    def _recurred(self, first: nn.Module, recurrent: nn.Module, x: Tensor, tail: Tail) -> Tensor:
        """The frames whose output of the recurrent layers is certain now."""
        context = 0 if tail.frames is None else tail.ahead
        whole = x if tail.frames is None else torch.cat([tail.frames, x], -1)
        end = whole.shape[-1] - (0 if tail.final else self.before)
        if end <= context:  # not enough yet: wait for more
            tail.frames = whole
            return x[..., :0]
        certain = first(whole)[..., context:end]
        kept = min(end, self.before)
        tail.frames, tail.ahead = whole[..., end - kept :], kept
        out, tail.hidden = recurrent(certain, tail.hidden)
        return out  # type: ignore[no-any-return]

    def _ready(self, new: Tensor, tail: Tail) -> tuple[int, int]:
        """Append ``new`` to what was heard; from which frame of it to which the sound is certain."""
        old = 0 if tail.heard is None else tail.heard.shape[-1]
        if new.shape[-1]:
            tail.heard = new if tail.heard is None else torch.cat([tail.heard, new], -1)
        total, given = old + new.shape[-1], old - tail.late
        tail.late = total - given
        return given, total - (0 if tail.final else self.around)


class Codec(nn.Module):
    """Sound to codes and back.

    Args:
        model: transformers' ``EncodecModel``; its layers are taken over.
        codebooks: how many of its codebooks are in use.
    """

    def __init__(self, model: Any, codebooks: int) -> None:
        super().__init__()
        keep_finite(model)
        config = model.config
        self.sample_rate: int = config.sampling_rate
        self.codebooks = codebooks
        self.codes: int = config.codebook_size
        self.bandwidth = float(config.target_bandwidths[-1])
        self.encoder = Encoder(model.encoder.layers)
        self.decoder = Decoder(model.decoder.layers, list(config.upsampling_ratios))
        self.quantizer = model.quantizer

    @property
    def hop(self) -> int:
        """Samples in a frame."""
        return self.decoder.hop

    def encode(self, audio: Tensor) -> Tensor:
        """Shape: audio ``[B, 1, samples]``, result ``[B, codebooks, frames]``."""
        codes: Tensor = self.quantizer.encode(self.encoder(audio), self.bandwidth)
        return codes[: self.codebooks].transpose(0, 1)

    def decode(self, codes: Tensor, tail: Tail | None = None) -> Tensor:
        """Shape: codes ``[B, codebooks, frames]``, result ``[B, 1, samples]``.

        Args:
            tail: of a stream: the codes are its next frames.
        """
        audio: Tensor = self.decoder(self.quantizer.decode(codes.transpose(0, 1)), tail)
        return audio


def _with_recurrent(layers: nn.ModuleList) -> nn.ModuleList:
    return nn.ModuleList(Recurrent(part.lstm) if hasattr(part, "lstm") else part for part in layers)  # type: ignore[arg-type]


def _frames_around(layers: Any) -> int:
    """How many frames to either side layers look at, at most.

    A convolution looks at half of its kernel to either side (at all of it to one, where it is causal), at
    the rate that it runs at; a transposed one at the samples beside its own.
    """
    reach, rate = 0.0, 1
    for part in layers.modules():
        if isinstance(getattr(part, "conv", None), nn.ConvTranspose1d):
            reach += 1 / rate
            rate *= part.conv.stride[0]
        elif isinstance(getattr(part, "conv", None), nn.Conv1d):
            whole = (part.conv.kernel_size[0] - 1) * part.conv.dilation[0]
            reach += (whole if part.causal else math.ceil(whole / 2)) / rate
    return math.ceil(reach)
