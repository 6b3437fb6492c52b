"""RAVE behind its own verbs: encode, decode, and everything in between."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.rave_stage import RaveOnStage
from torchbend.interfaces.sounds import (
    SOUND_FILES,
    finite,
    one_file,
    read_sounds,
    signals,
    whole_frames,
    write_sound,
)
from torchbend.module.part import BendedPart
from torchbend.rave import RAVE, StreamState, load, preset
from torchbend.rave.losses.receptive_field import receptive_field
from torchbend.rave.pca import dims_for_fidelity, fidelity_for_dims, project, unproject

__all__ = ["BendedRAVE"]

Path = str | os.PathLike[str]
Sound = Tensor | Path | Sequence[Path]

Method = Literal["encode", "decode", "forward"]

Self = TypeVar("Self", bound="BendedRAVE")

_TRACED_FRAMES = 4
_SHORTEST_TRACE = 8192
_TINY_GAIN = 3e4


class BendedRAVE(RaveOnStage):
    """A RAVE model that can be looked into, bent and played.

    ``forward``, ``encode`` and ``decode`` are traced when it is loaded, so that their activations have names.
    Latents are those that the model is sure of (the means) unless ``sample`` is set.

    Args:
        path: a run folder, a ``.ckpt``, a ``.ts``, a folder or file of this package's own, or a model; or the
            name of a model that comes with the package: ``"sax"``.
        strict: refuse a checkpoint that lacks weights of encoder or decoder.
        batch_size: signals that a stream holds side by side, at most.
        ema: take the averaged weights that a run kept, where ``path`` is one of a run.
        sample: draw latents from their distributions, as in training, instead of taking the means.

    Raises:
        CheckpointError: the file is no RAVE model, or holds no averaged weights while ``ema`` is set.
        RAVEConfigError: its configuration cannot work.

    Example:
        >>> import torch, torchbend as tb
        >>> model = tb.BendedRAVE("sax")
        >>> model
        BendedRAVE(sax: 44100 Hz, 1 channel, 128 latents, ratio 2048, offline)
        >>> z = model.encode(torch.zeros(1, 1, 8192))
        >>> list(z.shape), list(model.decode(z).shape)
        ([1, 128, 4], [1, 1, 8192])
        >>> _ = model.bend(tb.Scale(0.5), "decode:add_12$")
        >>> _ = model.bend(tb.Bias(1.0), "decoder.net.0.weight_g")
        >>> model
        BendedRAVE(sax: 44100 Hz, 1 channel, 128 latents, ratio 2048, offline, 2 bends)
    """

    kind = "rave"
    makes = "sound"
    writes = SOUND_FILES

    def __init__(
        self,
        path: Path | RAVE,
        strict: bool = True,
        batch_size: int = 4,
        *,
        ema: bool = False,
        sample: bool = False,
    ) -> None:
        model = _given(path, ema) if isinstance(path, RAVE) else load(path, ema=ema, strict=strict)
        super().__init__(model.eval())
        self.batch_size = batch_size
        self.sample = sample
        self.trace_methods()

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, **options: Any) -> Self:
        """A tiny RAVE with random weights, of 8 latents: what goes in comes out as noise.

        Args:
            seed: of its weights.
            options: the class's other arguments.
        """
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            model = RAVE(preset("v2_nopqmf", "snake", capacity=4, latent_size=8))
        # A fresh model is nearly silent.
        with torch.no_grad():
            model.get_parameter("decoder.net.21.weight_g").mul_(_TINY_GAIN)
        return cls(model, **options)

    def example_inputs(self) -> Mapping[str, Tensor]:
        """A little noise for each of ``encode``, ``decode`` and ``forward``."""
        model = self.rave
        noise = torch.Generator().manual_seed(0)
        frames = max(_TRACED_FRAMES, _SHORTEST_TRACE // model.ratio)
        x = 0.1 * torch.randn(1, model.channels, frames * model.ratio, generator=noise)
        z = torch.randn(1, model.config.decoder_inputs, frames, generator=noise)
        x, z = x.to(model.latent_mean), z.to(model.latent_mean)
        return {"encode": x, "decode": z, "forward": x}

    def _mode(self) -> ExitStack:
        """One call at a time, sampling or not."""
        stack = ExitStack()
        stack.enter_context(self._engine.lock)
        stack.enter_context(self.rave.encoder.sampling(self.sample))
        return stack

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Like `BendedModule.trace`; latents are drawn from their distributions only if ``sample`` is set."""
        with self._mode():
            return super().trace(*args, **kwargs)

    def _run_until(self, *args: Any, **kwargs: Any) -> Any:
        with self._mode():  # what is looked at is what is heard
            return super()._run_until(*args, **kwargs)

    # -- what it is made of ----------------------------------------------------------------------------------

    @property
    def encoder(self) -> BendedPart:
        """The encoder, bent; its ``module`` is the encoder itself."""
        return BendedPart(self, "encoder")

    @property
    def decoder(self) -> BendedPart:
        """The decoder, bent; its ``module`` is the decoder itself."""
        return BendedPart(self, "decoder")

    @property
    def discriminator(self) -> BendedPart:
        """The discriminator, bent; its ``module`` is the discriminator itself."""
        return BendedPart(self, "discriminator")

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.rave.sample_rate

    @property
    def channels(self) -> int:
        """Channels of the audio."""
        return self.rave.channels

    @property
    def latent_size(self) -> int:
        """Number of latent dimensions."""
        return self.rave.latent_size

    @property
    def ratio(self) -> int:
        """Audio samples for each latent frame."""
        return self.rave.ratio

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Samples before and after its place that an output sample depends on.

        Read from the checkpoint; measured, which takes seconds, where the checkpoint does not tell.
        """
        left, right = (int(n) for n in self.rave.receptive_field)
        return (left, right) if left or right else receptive_field(self.rave)

    # -- audio to latents and back ---------------------------------------------------------------------------

    def forward(self, x: Sound, *, sample_rate: int | None = None, **extra: Any) -> Tensor:
        """Encode and decode.

        Args:
            x: audio in [-1, 1], shape ``[B, C, T]``, ``[C, T]`` or ``[T]``; or one or several sound files.
            sample_rate: of ``x``, in Hz, to be checked against the model's.
            extra: inputs of callbacks, by name, as ``interp_weights``.

        Returns:
            Shape ``[B, C, T]``.

        Raises:
            ShapeError: another number of channels, or neither a tensor of real numbers nor files.
            NonFiniteError: the audio holds NaN or infinity.
            AudioFileError: a file cannot be read, or the sample rate is another.
        """
        x = self._audio(x, sample_rate)
        length = x.shape[-1]
        with self._mode():
            made: Tensor = self._call("forward", (self._whole_frames(x),), extra)
        return made[..., :length]

    def encode(
        self, x: Sound, postprocess: bool = False, *, sample_rate: int | None = None, **extra: Any
    ) -> Tensor:
        """Latents of audio.

        Args:
            x: audio in [-1, 1], shape ``[B, C, T]``, ``[C, T]`` or ``[T]``; or one or several sound files.
            postprocess: turn the latents to their principal components, the most telling first.
            sample_rate: of ``x``, in Hz, to be checked against the model's.
            extra: inputs of callbacks, by name, as ``interp_weights``.

        Returns:
            Shape ``[B, latent_size, frames]``; a started frame is completed with silence.

        Raises:
            ShapeError: another number of channels, or neither a tensor of real numbers nor files.
            NonFiniteError: the audio holds NaN or infinity.
            AudioFileError: a file cannot be read, or the sample rate is another.
        """
        x = self._whole_frames(self._audio(x, sample_rate))
        encoder = self.rave.encoder
        with self._mode():
            raw = self._call("encode", (x,), extra)
            z: Tensor = self._engine.call("encoder.latents()", encoder.latents, (raw,), {})
        return project(z, self.rave.latent_pca, self.rave.latent_mean) if postprocess else z

    def decode(
        self, z: Tensor, preprocess: bool = False, *, fill: Literal["zeros", "noise"] = "zeros", **extra: Any
    ) -> Tensor:
        """Audio from latents.

        Args:
            z: shape ``[B, n, frames]`` or ``[n, frames]``; n is `latent_size`, or less with ``preprocess``.
            preprocess: ``z`` holds principal components.
            fill: what stands for components that ``z`` lacks.
            extra: inputs of callbacks, by name, as ``interp_weights``.

        Returns:
            Shape ``[B, C, frames * ratio]``.

        Raises:
            ShapeError: another number of latents, or no tensor of real numbers.
            NonFiniteError: the latents hold NaN or infinity.
        """
        z = finite(z, "z", f"latents of shape [batch, {self.latent_size}, frames]")
        z = (z[None] if z.dim() == 2 else z).to(self.rave.latent_mean)
        if preprocess:
            z = unproject(z, self.rave.latent_pca, self.rave.latent_mean, fill=fill)
        return self._call("decode", (z,), extra)  # type: ignore[no-any-return]

    def get_dims_for_fidelity(self, fidelity: float) -> int:
        """How many principal components reconstruct this share (0 to 1) of the latents' variance."""
        return dims_for_fidelity(self.rave.fidelity, float(fidelity))

    def get_fidelity_for_dims(self, dims: int) -> float:
        """The share of the latents' variance that so many principal components reconstruct."""
        return fidelity_for_dims(self.rave.fidelity, int(dims))

    # -- sound files -----------------------------------------------------------------------------------------

    def load_audio(self, *paths: Path) -> Tensor:
        """Sound files at the model's sample rate and number of channels.

        Args:
            paths: the files; shorter ones are followed by silence.

        Returns:
            Shape ``[files, channels, T]``.

        Raises:
            AudioFileError: a file cannot be read, or none is given.
        """
        return read_sounds(paths, self.sample_rate, self.channels).to(self.rave.latent_mean)

    def write_audio(self, path: Path, x: Tensor) -> None:
        """Write audio of shape ``[C, T]`` or ``[1, C, T]`` to a sound file, at the model's sample rate.

        Raises:
            AudioFileError: the file cannot be written.
            ShapeError: there are several signals.
        """
        write_sound(path, x, self.sample_rate)

    def render(  # type: ignore[override]
        self,
        out: Path,
        inputs: Sequence[str] = (),
        *,
        seed: int = 0,
        stream: bool | None = None,
    ) -> FilePath:
        """Send a sound file through the model, bent, and write what comes out, at the model's sample rate.

        Args:
            out: a sound file; it appears whole or not at all.
            inputs: one sound file.
            seed: of the model's noise and of random bends.
            stream: in blocks, as nn~ plays, or as a whole; by default in blocks what is longer than a minute.

        Raises:
            GenerationError: not one sound file is given.
            AudioFileError: it cannot be read, or the result cannot be written.
        """
        from torchbend.interfaces.rendering import Task, render_file

        source = one_file(
            inputs,
            "a RAVE model plays one sound file",
            "torchbend rave generate sends whole folders through a model",
        )
        done = render_file(self, Task(FilePath(source), FilePath(out)), stream=stream, seed=seed)
        if done.error is not None:
            raise done.error
        return done.task.target

    def _audio(self, x: Sound, sample_rate: int | None) -> Tensor:
        if isinstance(x, str | os.PathLike):
            return self.load_audio(x)
        if isinstance(x, list | tuple):
            return self.load_audio(*x)
        return signals(x, sample_rate, self.sample_rate).to(self.rave.latent_mean)

    def _whole_frames(self, x: Tensor) -> Tensor:
        """A stream takes whole frames only."""
        return x if self.rave.is_streaming else whole_frames(x, self.ratio)

    # -- streams ---------------------------------------------------------------------------------------------

    def stream(self, batch: int | None = None, as_original: bool = False) -> StreamState:
        """Take what comes as blocks of a stream (see `RAVE.stream`), up to ``batch_size`` signals."""
        with self._engine.lock:
            return self.rave.stream(self.batch_size if batch is None else batch, as_original)

    def offline(self) -> None:
        """Take each input as a whole signal again."""
        with self._engine.lock:
            self.rave.offline()

    def delay(self, method: Method = "forward", as_original: bool = False) -> Fraction:
        """How late the output of a stream is, in samples (see `RAVE.delay`)."""
        return self.rave.delay(method, as_original)

    def latency(self, method: Method = "forward", as_original: bool = False) -> float:
        """How late the output of a stream is, in milliseconds (see `RAVE.delay`)."""
        return self.rave.latency(method, as_original)

    def __repr__(self) -> str:
        sound = f"{self.sample_rate} Hz, {self.channels} channel{'s' if self.channels > 1 else ''}"
        state = "streaming" if self.rave.is_streaming else "offline"
        latents = f"{self.latent_size} latents, ratio {self.ratio}"
        count = len(self._engine.bends)
        bends = f", {count} bend{'s' * (count != 1)}" if count else ""
        return f"BendedRAVE({self.rave.config.name}: {sound}, {latents}, {state}{bends})"


def _given(model: RAVE, ema: bool) -> RAVE:
    """A model that is in memory already: it has one set of weights."""
    if ema:
        raise CheckpointError(
            "a model that is loaded already holds no averaged weights",
            site="ema",
            wanted="a path",
            got=type(model).__name__,
            next_step="BendedRAVE(path, ema=True), or torchbend.rave.load(path, ema=True)",
        )
    return model
