"""What codecs do: sound to codes, to latents, and back, bent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError, StreamError
from torchbend.interfaces.codec.chunks import Chunks
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.codec.given import as_codes, as_latents, as_scales, as_sound, number_of_codebooks
from torchbend.interfaces.codec.interface import CodecInterface, Location
from torchbend.interfaces.codec.streams import Half, opened
from torchbend.interfaces.sounds import read_sounds, signals, whole_frames, write_sound

__all__ = ["BendedCodec"]

Sound = Tensor | Location


class BendedCodec(CodecInterface):
    """A neural codec, bent: EnCodec or DAC. Construction and errors are those of `CodecInterface`.

    Weights have transformers' names: ``encoder.*``, ``quantizer.*`` (the codebooks of EnCodec are buffers)
    and ``decoder.*``. Activations are those of the methods ``encode``, ``quantize``, ``latents``, ``decode``.

    How late a stream is depends on the model. EnCodec at 24 kHz only looks back: it is not late beyond the
    frame (320 samples, 13 ms) that has to be complete, and the first seven frames that a stream begins with.
    DAC looks around some frames, and is so much later (`delay`). EnCodec at 48 kHz cannot be streamed.
    """

    kind = "codec"
    extra = "transformers"
    makes = "sound"
    writes = (".wav", ".flac", ".ogg", ".aiff", ".aif")
    export_targets = ("nn~", "torchscript")
    why_no_export = "its codebooks are searched in ways that only TorchScript takes along"

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
        with self._using(number_of_codebooks(self._codec, bandwidth, codebooks)):
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
        codes, scales = self.encode(x, bandwidth=bandwidth, codebooks=codebooks, return_scales=True)
        if self._streams is not None:
            return self.decode(codes)
        made = self.decode(codes, scales)
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
            return self._streams["decode"].feed(z)
        return self._pieces("decode_latents", z, scales)

    # -- streams ---------------------------------------------------------------------------------------------

    def stream(self, batch: int = 1) -> None:
        """Take what comes as blocks of a stream from now on; a new one begins.

        The blocks that come out are, put together, what the whole would give, a frame complete.

        Args:
            batch: signals at once, at most.

        Raises:
            StreamError: this codec cannot be played in blocks, or ``batch`` is below 1.
        """
        codec = self._codec
        if codec.streams == "no":
            raise StreamError(
                f"this codec cannot be played in blocks: {codec.why_no_stream}",
                site=self._source,
                next_step="encode and decode the whole sound",
            )
        if batch < 1:
            raise StreamError(
                "a stream holds one signal at least", site="batch", wanted="1 or more", got=batch
            )
        self.offline()
        with self._engine.lock:
            self._streams = opened(
                codec,
                batch,
                lambda x: self._run("encode", x),
                lambda z: self._run("decode_latents", z),
            )

    def flush(self) -> Tensor:
        """The end of the stream as sound, as if silence followed; then the stream ends.

        Returns:
            Shape ``[B, C, T]``: what `decode` has not given out yet.

        Raises:
            StreamError: there is no stream, or nothing was played.
        """
        halves = self._streams or {}
        if not any(half.playing for half in halves.values()):
            raise StreamError("nothing is playing", site="flush", next_step="stream(), then play blocks")
        parts = []
        if halves["encode"].playing:
            codes = halves["encode"].flush()
            if codes.shape[-1]:
                parts.append(halves["decode"].feed(self._run("latents", codes)))
        if halves["decode"].playing:
            parts.append(halves["decode"].flush())
        self.offline()
        return torch.cat(parts, -1)

    def offline(self) -> None:
        """Take each input as a whole again."""
        self._streams = None
        if isinstance(self._codec, EncodecCodec):
            with self._engine.lock:
                self._codec.close()

    def delay(self) -> int:
        """How late sound comes out of a stream there and back, in samples, once its frame is complete.

        Raises:
            StreamError: this codec cannot be played in blocks.
        """
        codec = self._codec
        if codec.streams == "no":
            raise StreamError(f"this codec cannot be played in blocks: {codec.why_no_stream}", site="delay")
        if not isinstance(codec, DacCodec):
            return 0
        return (codec.around(codec.encoder) + codec.around(codec.decoder)) * codec.hop

    # -- files -----------------------------------------------------------------------------------------------

    def load_audio(self, *paths: Location) -> Tensor:
        """Sound files at the codec's sample rate and number of channels, shape ``[files, channels, T]``.

        Raises:
            AudioFileError: a file cannot be read, or none is given.
        """
        return read_sounds(paths, self.sample_rate, self.channels)

    def write_audio(self, path: Location, x: Tensor) -> None:
        """Write audio of shape ``[C, T]`` or ``[1, C, T]`` to a sound file.

        Raises:
            AudioFileError: the file cannot be written.
            ShapeError: there are several signals.
        """
        write_sound(path, x, self.sample_rate)

    def render(  # type: ignore[override]
        self,
        out: Location,
        inputs: Sequence[str] = (),
        *,
        seed: int = 0,
        bandwidth: float | None = None,
        codebooks: int | None = None,
    ) -> Path:
        """Send a sound file through the codec, bent, and write what comes out.

        Args:
            out: a sound file; it appears whole or not at all.
            inputs: one sound file.
            seed: of random bends.
            bandwidth, codebooks: as of `encode`.

        Raises:
            GenerationError: not one sound file is given, or there is no such number of codebooks.
            AudioFileError: it cannot be read, or the result cannot be written.
        """
        if len(inputs) != 1:
            raise GenerationError(
                "a codec plays one sound file",
                site="inputs",
                wanted="one sound file",
                got=f"{len(inputs)}: {', '.join(inputs[:4])}" if inputs else "none",
            )
        sound = self.load_audio(inputs[0])
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            made = self.forward(sound, bandwidth=bandwidth, codebooks=codebooks)
        self.write_audio(out, made)
        return Path(out)

    def export(
        self,
        path: Location,
        target: str = "nn~",
        *,
        codebooks: int | None = None,
        bandwidth: float | None = None,
        batch: int = 4,
        patches: bool = True,
        **options: Any,
    ) -> Path | list[Path]:
        """Write the bent codec to a file, with live controls (see `BendedModule.export`).

        For nn~ it has three methods: ``forward`` (sound to sound), ``encode`` (sound to codes, a number for
        each codebook) and ``decode`` (back; numbers are rounded to codes). Where a frame is no power of two
        (320 samples), the file gathers frames: each method is one frame late, and a code is a number that
        stays for the frame (five times 64 samples). DAC is later by what it looks around (`delay`). Its
        stream begins after silence inside of the network.

        Args:
            path: of the file.
            target: ``"nn~"`` or ``"torchscript"``, which takes whole signals.
            codebooks, bandwidth: for nn~: as of `encode`.
            batch: for nn~: signals at once, at most.
            patches: for nn~: write patches for Pure Data and Max beside it.
            options: others of `BendedModule.export`.

        Raises:
            ExportError: something cannot be exported, or the codec cannot be played in blocks; nothing is
                written then.
            GenerationError: the codec has no such number of codebooks.
        """
        if target != "nn~":
            return super().export(path, target, **options)
        from torchbend.interfaces.codec.stage import export_codec

        with self._using(number_of_codebooks(self._codec, bandwidth, codebooks)):
            return export_codec(self._engine, self._codec, path, batch=batch, patches=patches, **options)

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
            return self.load_audio(x)
        return as_sound(self._codec, signals(x, sample_rate, self.sample_rate))
