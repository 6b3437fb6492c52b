"""EnCodec, as a whole and as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.interfaces.codec.layers import Conv, ConvTranspose, Recurrent, StreamLayer
from torchbend.interfaces.codec.model import CodecModel

__all__ = ["EncodecCodec"]


class EncodecCodec(CodecModel):
    """EnCodec with layers that can stream.

    Args:
        model: transformers' ``EncodecModel``; its layers are taken over.

    Attributes:
        chunk, stride: samples of a piece that is coded by itself, and from one to the next; None: no pieces.
        normalises: each piece is brought to the same loudness first.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        config = model.config
        self.sample_rate, self.channels = config.sampling_rate, config.audio_channels
        self.hop, self.size, self.codes = config.hop_length, config.codebook_dim, config.codebook_size
        self.most = self.in_use = model.quantizer.num_quantizers
        self.bits: float = model.bits_per_codebook
        self.chunk: int | None = config.chunk_length
        self.stride: int | None = config.chunk_stride or config.chunk_length
        self.normalises: bool = config.normalize
        self.encoder = _with_own_layers(model.encoder)
        self.decoder = _with_own_layers(model.decoder)
        self.quantizer = model.quantizer
        self.streams = "no"
        if self.chunk is not None or self.normalises or config.norm_type == "time_group_norm":
            self.why_no_stream = "it measures a whole second before it codes it"
        elif not config.use_causal_conv or config.trim_right_ratio != 1.0:
            self.why_no_stream = "its recurrent layers come after layers that look ahead"
        else:
            self.streams = "causal"

    def quantize(self, z: Tensor) -> Tensor:
        """See `CodecModel`."""
        found = []
        for layer in self.quantizer.layers[: self.in_use]:
            indices = layer.encode(z)
            z = z - layer.decode(indices)
            found.append(indices)
        return torch.stack(found, 1)

    def latents(self, codes: Tensor) -> Tensor:
        """See `CodecModel`."""
        z: Tensor = self.quantizer.layers[0].decode(codes[:, 0])
        for number in range(1, codes.shape[1]):
            z = z + self.quantizer.layers[number].decode(codes[:, number])
        return z

    # -- streams ---------------------------------------------------------------------------------------------

    def open(self, batch: int) -> None:
        """Begin a stream of up to ``batch`` signals, after silence inside of the network."""
        like = next(self.parameters())
        for layer in _stream_layers(self):
            layer.open(batch, like)

    def close(self) -> None:
        """Take whole signals again."""
        for layer in _stream_layers(self):
            layer.close()

    def past(self) -> list[Tensor]:
        """What the layers remember of a stream; nothing where they take whole signals."""
        return [state for layer in _stream_layers(self) for state in layer.buffers(recurse=False)]

    @contextmanager
    def opening(self, half: nn.Module) -> Iterator[None]:
        """Within it, the encoder or the decoder gets the first block of a stream."""
        layers = list(_stream_layers(half))
        try:
            for layer in layers:
                layer.opening = True
            yield
        finally:
            for layer in layers:
                layer.opening = False

    def first_frames(self, half: nn.Module) -> int:
        """How many frames the first block of a stream has to have, in the encoder or the decoder."""
        needed, rate = 1, float(self.hop if half is self.encoder else 1)
        for layer in _stream_layers(half):
            if isinstance(layer, Conv):
                needed = max(needed, -int(-layer.first // rate))
                rate /= layer.stride
            elif isinstance(layer, ConvTranspose):
                rate *= layer.stride
        return needed


def _stream_layers(module: nn.Module) -> Iterator[StreamLayer]:
    return (part for part in module.modules() if isinstance(part, StreamLayer))


def _with_own_layers(module: nn.Module) -> nn.Module:
    """The same module, each of its layers in a form that can stream."""
    kinds = {"EncodecConv1d": Conv, "EncodecConvTranspose1d": ConvTranspose, "EncodecLSTM": Recurrent}
    for name, child in list(module.named_children()):
        kind = kinds.get(type(child).__name__)
        setattr(module, name, _with_own_layers(child) if kind is None else kind(child))
    return module
