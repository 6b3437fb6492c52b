"""DAC, the Descript Audio Codec (Kumar et al. 2023, arXiv 2306.06546)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchbend.interfaces.codec.model import CodecModel

__all__ = ["DacCodec"]


class DacCodec(CodecModel):
    """DAC. It looks around some frames, and remembers nothing.

    Args:
        model: transformers' ``DacModel``; its layers are taken over.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        config = model.config
        self.sample_rate, self.channels = config.sampling_rate, 1
        self.hop, self.size, self.codes = config.hop_length, config.hidden_size, config.codebook_size
        self.most = self.in_use = config.n_codebooks
        self.bits: float = model.bits_per_codebook
        self.streams = "around"
        self.encoder, self.decoder, self.quantizer = model.encoder, model.decoder, model.quantizer

    def quantize(self, z: Tensor) -> Tensor:
        """See `CodecModel`."""
        found = []
        for layer in self.quantizer.quantizers[: self.in_use]:
            projected = layer.in_proj(z)
            vectors, indices = layer.decode_latents(projected)
            # as in training, where gradients pass by the codes: rounding is the same then
            z = z - layer.out_proj(projected + (vectors - projected))
            found.append(indices)
        return torch.stack(found, 1)

    def latents(self, codes: Tensor) -> Tensor:
        """See `CodecModel`."""
        z = self._vectors(codes, 0)
        for number in range(1, codes.shape[1]):
            z = z + self._vectors(codes, number)
        return z

    def _vectors(self, codes: Tensor, number: int) -> Tensor:
        layer = self.quantizer.quantizers[number]
        vectors: Tensor = layer.out_proj(layer.codebook(codes[:, number]).transpose(1, 2))
        return vectors

    def around(self, half: nn.Module) -> int:
        """Frames to either side that the encoder, or the decoder, looks at."""
        step = 1.0 / self.hop if half is self.encoder else 1.0
        reach = 0.0
        for part in half.modules():
            if isinstance(part, nn.ConvTranspose1d):
                reach += step * -(-part.kernel_size[0] // part.stride[0])
                step /= part.stride[0]
            elif isinstance(part, nn.Conv1d):
                left = int(part.padding[0])
                reach += step * max(left, (part.kernel_size[0] - 1) * part.dilation[0] - left)
                step *= part.stride[0]
        return int(-(-reach // 1))
