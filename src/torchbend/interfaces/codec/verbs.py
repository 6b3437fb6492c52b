"""What codecs do: sound to codes, to latents, and back, bent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from torchbend.interfaces.codec.chunks import Chunks
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.given import as_codes, as_latents, as_scales, as_sound, number_of_codebooks
from torchbend.interfaces.codec.interface import CodecInterface, Location
from torchbend.interfaces.codec.streams import Half, whole_or_not
from torchbend.interfaces.sounds import read_sounds, signals, whole_frames

__all__ = ["CodecVerbs", "Sound"]

Sound = Tensor | Location


class CodecVerbs(CodecInterface):
    """What a codec does with sounds, codes and latents; streams and files are in `BendedCodec`."""

    _streams: dict[str, Half] | None = None

    # -- sound to codes and back -----------------------------------------------------------------------------

    def encode(
        self,
        sound: Sound,
        *,
        bandwidth: float | None = None,
        codebooks: int | None = None,
        sample_rate: int | None = None,
        return_scales: bool = False,
    ) -> Any:
        """Codes of a sound; in a stream, of its next block.

        Args:
            sound: samples in [-1, 1], shape ``[B, C, T]``, ``[C, T]`` or ``[T]``; or a sound file.
            bandwidth: in kilobits a second: as many codebooks as fit in; by default those in use.
            codebooks: how many, instead.
            sample_rate: of ``sound``, in Hz, to be checked against the codec's.
            return_scales: give the loudness of each piece too, where the codec takes it away (48 kHz).

        Returns:
            Whole numbers, shape ``[B, codebooks, frames]``, on the CPU; with ``return_scales`` a pair with
            numbers of shape ``[B, pieces]``.

        Raises:
            ShapeError: no sound, or another number of channels.
            NonFiniteError: it holds NaN or infinity.
            AudioFileError: a file cannot be read, or the sample rate is another.
            GenerationError: the codec has no such number of codebooks.
            StreamError: a block that does not go on with the stream.
        """
        x = self._sound(sound, sample_rate)
        with self._using(number_of_codebooks(self._codec, bandwidth, codebooks)), self._block():
            if self._streams is not None:
                codes, scales = self._streams["encode"].feed(x), torch.ones(len(x), 1)
            else:
                codes, scales = self._encoded(x)
        return (codes, scales) if return_scales else codes

    def decode(self, codes: Tensor, scales: Tensor | None = None) -> Tensor:
        """Sound of codes; in a stream, of its next frames.

        Args:
            codes: whole numbers, shape ``[B, K, frames]`` or ``[K, frames]``; K from 1 to `most_codebooks`.
            scales: the loudness of each piece, as `encode` gives it (48 kHz); by default 1 for all.

        Returns:
            Shape ``[B, C, T]``, on the CPU; in a stream what is certain by now.

        Raises:
            GenerationError: they are no codes of this codec.
            ShapeError: not all frames of a piece, or another number of scales.
        """
        codes = as_codes(self._codec, codes)
        if self._streams is not None:
            with self._block():
                return self._streams["decode"].feed(self._run("latents", codes))
        return self._pieces("decode", codes, scales)

    def forward(
        self,
        sound: Sound,
        *,
        bandwidth: float | None = None,
        codebooks: int | None = None,
        sample_rate: int | None = None,
    ) -> Tensor:
        """There and back: a sound as the codec tells it; arguments and errors are those of `encode`.

        Returns:
            Shape ``[B, C, T]``, on the CPU, as long as the sound; in a stream what is certain by now.
        """
        x = self._sound(sound, sample_rate)
        with self._block():
            codes, scales = self.encode(x, bandwidth=bandwidth, codebooks=codebooks, return_scales=True)
            made = self.decode(codes, scales)
        if self._streams is not None:
            return made
        missing = x.shape[-1] - made.shape[-1]  # DAC's odd strides lose some samples at the end
        return torch.nn.functional.pad(made, (0, missing)) if missing > 0 else made[..., : x.shape[-1]]

    # -- codes as latents ------------------------------------------------------------------------------------

    def latents(self, codes: Tensor) -> Tensor:
        """The numbers that codes stand for: the sum over the codebooks.

        Args:
            codes: as of `decode`.

        Returns:
            Shape ``[B, latent_size, frames]``, on the CPU.

        Raises:
            GenerationError: they are no codes of this codec.
        """
        return self._run("latents", as_codes(self._codec, codes))

    def quantize(self, z: Tensor, *, bandwidth: float | None = None, codebooks: int | None = None) -> Tensor:
        """The codes that are nearest to numbers, codebook after codebook.

        Args:
            z: shape ``[B, latent_size, frames]``.
            bandwidth, codebooks: as of `encode`.

        Returns:
            Whole numbers, shape ``[B, codebooks, frames]``, on the CPU.

        Raises:
            ShapeError: another number of latents, or no tensor of real numbers.
            NonFiniteError: they hold NaN or infinity.
        """
        z = as_latents(self._codec, z)
        with self._using(number_of_codebooks(self._codec, bandwidth, codebooks)):
            return self._run("quantize", z)

    def decode_latents(self, z: Tensor, scales: Tensor | None = None) -> Tensor:
        """Sound of numbers, which need not be those of any codes; in a stream, of its next frames.

        Args:
            z: shape ``[B, latent_size, frames]``.
            scales: as of `decode`.

        Returns:
            Shape ``[B, C, T]``, on the CPU.

        Raises:
            ShapeError: another number of latents, or no tensor of real numbers.
            NonFiniteError: they hold NaN or infinity.
        """
        z = as_latents(self._codec, z)
        if self._streams is not None:
            with self._block():
                return self._streams["decode"].feed(z)
        return self._pieces("decode_latents", z, scales)

    # -- inside ----------------------------------------------------------------------------------------------

    def _run(self, method: str, x: Tensor) -> Tensor:
        if not x.shape[-1] and method in ("latents", "quantize"):
            codec = self._codec
            if method == "latents":
                return torch.zeros(len(x), codec.size, 0)
            return torch.zeros(len(x), codec.in_use, 0, dtype=torch.long)
        with torch.no_grad():
            made: Tensor = self._call(method, (x.to(self._codec.device),), {})
        return (made.float() if made.is_floating_point() else made).cpu()

    def _block(self) -> AbstractContextManager[None]:
        """Within it, a block of a stream that fails is as if it had not been played."""
        return whole_or_not(self._codec, self._streams)

    @contextmanager
    def _using(self, codebooks: int) -> Iterator[None]:
        """Within it, so many codebooks are in use."""
        codec = self._codec
        with self._engine.lock:
            before = codec.in_use
            codec.in_use = codebooks
            try:
                yield
            finally:
                codec.in_use = before

    @property
    def _chunks(self) -> Chunks | None:
        codec = self._codec
        if isinstance(codec, DacCodec) or codec.chunk is None or codec.stride is None:
            return None
        return Chunks(codec.chunk, codec.stride, codec.hop)

    def _encoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes, and the loudness of each piece."""
        codec = self._codec
        if isinstance(codec, DacCodec):
            return self._run("encode", whole_frames(x, codec.hop)), torch.ones(len(x), 1)
        pieces = [x] if self._chunks is None else self._chunks.cut(x)
        if not codec.normalises:
            return torch.cat([self._run("encode", piece) for piece in pieces], -1), torch.ones(
                len(x), len(pieces)
            )
        mono = [torch.sum(piece, 1, keepdim=True) / piece.shape[1] for piece in pieces]
        scales = [part.pow(2).mean(-1, keepdim=True).sqrt() + 1e-8 for part in mono]
        codes = [self._run("encode", piece / scale) for piece, scale in zip(pieces, scales, strict=True)]
        return torch.cat(codes, -1), torch.cat(scales, -1)[:, 0]

    def _pieces(self, method: str, x: Tensor, scales: Tensor | None) -> Tensor:
        """Sound of codes or latents, piece by piece where they were coded so."""
        if not x.shape[-1]:
            return torch.zeros(len(x), self.channels, 0)
        chunks = self._chunks
        parts = [x] if chunks is None else chunks.split(x)
        loud = as_scales(scales, len(x), len(parts))
        sounds = [self._run(method, part) for part in parts]
        if scales is not None and getattr(self._codec, "normalises", False):
            sounds = [sound * loud[:, n, None, None] for n, sound in enumerate(sounds)]
        return sounds[0] if chunks is None else chunks.joined(sounds)

    def _sound(self, x: Sound, sample_rate: int | None) -> Tensor:
        if isinstance(x, str | os.PathLike):
            return read_sounds([x], self.sample_rate, self.channels)
        return as_sound(self._codec, signals(x, sample_rate, self.sample_rate))
