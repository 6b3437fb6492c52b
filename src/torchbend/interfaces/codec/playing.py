"""Codecs, played: in streams, from files and into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import StreamError
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.codec.given import number_of_codebooks
from torchbend.interfaces.codec.interface import Location
from torchbend.interfaces.codec.streams import opened
from torchbend.interfaces.codec.verbs import CodecVerbs
from torchbend.interfaces.sounds import SOUND_FILES, one_file, read_sounds, write_sound

__all__ = ["BendedCodec"]


class BendedCodec(CodecVerbs):
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
    writes = SOUND_FILES
    export_targets = ("nn~", "torchscript")
    why_no_export = "its codebooks are searched in ways that only TorchScript takes along"

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
        encode, decode = halves["encode"], halves["decode"]
        with self._block():
            rest = decode.feed(self._run("latents", encode.flush())) if encode.playing else None
            end = decode.flush()
        self.offline()
        return end if rest is None else torch.cat([rest, end], -1)

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
        sound = self.load_audio(one_file(inputs, "a codec plays one sound file"))
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
