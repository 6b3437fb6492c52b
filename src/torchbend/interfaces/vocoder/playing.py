"""Vocoders, played: in streams, from files and into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import StreamError
from torchbend.interfaces.lookahead import AroundStream
from torchbend.interfaces.sounds import SOUND_FILES, one_file, read_sounds, write_sound
from torchbend.interfaces.vocoder.interface import Location, VocoderInterface

__all__ = ["BendedVocoder"]


class BendedVocoder(VocoderInterface):
    """A HiFi-GAN vocoder, bent: the mel spectrogram of a sound, and sound of a mel spectrogram.

    Weights are ``generator.*`` (``conv_pre``, ``ups.N``, ``resblocks.N.convs1.M``, ``conv_post``), each
    whole: the two parts of weight norm are put together at loading. Activations are those of the methods
    ``mel`` and ``decode``.

    In a stream (`stream`), and in the files of `export`, sound comes `around` frames late: so far does the
    network look ahead. That is 14 frames, 163 ms, for the paper's V1. Sound that goes in as sound is later by
    what the spectrogram looks ahead: two frames.

    Arguments and errors are those of `VocoderInterface`.
    """

    kind = "vocoder"
    makes = "sound"
    writes = SOUND_FILES
    export_targets = ("nn~", "torchscript", "onnx", "pt2")

    # -- streams ---------------------------------------------------------------------------------------------

    def stream(self) -> None:
        """Take what `decode` and `vocode` get as blocks of a stream from now on; a new one begins.

        The blocks that come out are, put together, what the whole would give. They are late: those of
        `decode` by `around` frames, those of `vocode` by two more. Play one of the two in a stream. A block
        that fails is as if it had not been played.
        """
        hop, late = self.hop, self.around
        self._streams = {
            "decode": AroundStream(lambda mel: self._run("decode", mel), late, 1, hop),
            "vocode": AroundStream(self._copied, late + self._edge, hop, hop),
        }

    def flush(self) -> Tensor:
        """The end of the stream: what is not yet given out, as if nothing followed. The stream ends.

        Returns:
            Shape ``[B, 1, T]``.

        Raises:
            StreamError: there is no stream, or nothing was played.
        """
        playing = [s for s in (self._streams or {}).values() if s.playing]
        if not playing:
            raise StreamError("nothing is playing", site="flush", next_step="stream(), then decode blocks")
        rest = playing[0].flush()
        self.offline()
        return rest

    def offline(self) -> None:
        """Take each input as a whole again."""
        self._streams = None

    # -- files -----------------------------------------------------------------------------------------------

    def load_audio(self, *paths: Location) -> Tensor:
        """Sound files at the vocoder's sample rate, mono, shape ``[files, 1, T]``.

        Raises:
            AudioFileError: a file cannot be read, or none is given.
        """
        return read_sounds(paths, self.sample_rate, 1)

    def write_audio(self, path: Location, x: Tensor) -> None:
        """Write audio of shape ``[1, T]`` or ``[1, 1, T]`` to a sound file.

        Raises:
            AudioFileError: the file cannot be written.
            ShapeError: there are several signals.
        """
        write_sound(path, x, self.sample_rate)

    def render(  # type: ignore[override]
        self, out: Location, inputs: Sequence[str] = (), *, seed: int = 0
    ) -> Path:
        """Have a sound file sung by the vocoder, bent, and write what comes out.

        Args:
            out: a sound file; it appears whole or not at all.
            inputs: one sound file.
            seed: of random bends.

        Raises:
            GenerationError: not one sound file is given.
            AudioFileError: it cannot be read, or the result cannot be written.
        """
        sound = self.load_audio(one_file(inputs, "a vocoder sings one sound file"))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            made = self.vocode(sound)
        self.write_audio(out, made)
        return Path(out)

    def export(
        self, path: Location, target: str = "nn~", *, batch: int = 4, patches: bool = True, **options: Any
    ) -> Path | list[Path]:
        """Write the bent vocoder to a file, with live controls (see `BendedModule.export`).

        For nn~ it has three methods: ``mel`` (sound to bands), ``decode`` (bands to sound), ``forward``
        (sound to sound). They remember what came before each block. Late are ``decode`` by `around` frames,
        ``mel`` by two, ``forward`` by both.

        Args:
            path: of the file.
            target: ``"nn~"``, ``"torchscript"``, ``"onnx"`` or ``"pt2"``.
            batch: for nn~: signals at once, at most.
            patches: for nn~: write patches for Pure Data and Max beside it.
            options: others of `BendedModule.export`.

        Raises:
            ExportError: something cannot be exported; nothing is written then.
        """
        if target != "nn~":
            return super().export(path, target, **options)
        from torchbend.interfaces.vocoder.stage import export_vocoder

        return export_vocoder(self._engine, self._vocoder, path, batch=batch, patches=patches, **options)
