"""What all codecs have in common: sound to frames of numbers, to codes, and back."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

__all__ = ["CodecModel", "Streams"]

Streams = Literal["causal", "around", "no"]
"""How a codec can be played in blocks: it only looks back; it looks around some frames; not at all."""


class CodecModel(nn.Module):
    """Encoder, codebooks and decoder, under transformers' names.

    Attributes:
        sample_rate: in Hz.
        channels: of the sound.
        hop: samples for each frame of codes.
        size: numbers of a latent frame.
        codes: entries of a codebook.
        most: codebooks that it has.
        in_use: codebooks that `encode` writes.
        streams: how it can be played in blocks.
    """

    sample_rate: int
    channels: int
    hop: int
    size: int
    codes: int
    most: int
    in_use: int
    streams: Streams
    why_no_stream: str = ""

    encoder: nn.Module
    decoder: nn.Module
    quantizer: Any

    def encode(self, audio: Tensor) -> Tensor:
        """Shape: audio ``[B, channels, samples]``, result ``[B, in_use, frames]``."""
        return self.quantize(self.encoder(audio))

    def quantize(self, z: Tensor) -> Tensor:
        """The codes of numbers: ``[B, size, frames]`` to ``[B, in_use, frames]``."""
        raise NotImplementedError

    def latents(self, codes: Tensor) -> Tensor:
        """The numbers that codes stand for: ``[B, codebooks, frames]`` to ``[B, size, frames]``."""
        raise NotImplementedError

    def decode_latents(self, z: Tensor) -> Tensor:
        """Sound of numbers: ``[B, size, frames]`` to ``[B, channels, samples]``."""
        sound: Tensor = self.decoder(z)
        return sound

    def decode(self, codes: Tensor) -> Tensor:
        """Sound of codes: ``[B, codebooks, frames]`` to ``[B, channels, samples]``."""
        return self.decode_latents(self.latents(codes))

    def forward(self, audio: Tensor) -> Tensor:
        """There and back."""
        return self.decode(self.encode(audio))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.parameters()).device
