"""The whole model: audio to latents and back."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from torchbend.errors import ShapeError, StreamError
from torchbend.rave.bottlenecks import build_bottleneck
from torchbend.rave.config import GeneratorV1Config, RAVEConfig
from torchbend.rave.convolution import arrange
from torchbend.rave.discriminators import build_discriminator
from torchbend.rave.generator_v1 import GeneratorV1
from torchbend.rave.generator_v2 import GeneratorV2
from torchbend.rave.losses.distance import AudioDistance
from torchbend.rave.mel import MelSpectrogram
from torchbend.rave.pqmf import PQMF
from torchbend.rave.streaming import Delay, Measure, Opening, StreamState, Walk, close, follow
from torchbend.rave.validation import check

__all__ = ["RAVE"]

Method = Literal["encode", "decode", "forward"]


class RAVE(nn.Module):
    """A variational autoencoder of audio (Caillon and Esling, arXiv 2111.05011) and its relatives.

    The names of its parameters are those of the original's checkpoints.

    Args:
        config: what it is made of.

    Raises:
        RAVEConfigError: the parts cannot work together.
    """

    latent_pca: Tensor
    latent_mean: Tensor
    fidelity: Tensor
    receptive_field: Tensor
    stream_state: StreamState | None
    """All that a running stream remembers; None offline."""

    def __init__(self, config: RAVEConfig) -> None:
        super().__init__()
        check(config)
        self.config = config
        size = config.latent_size
        self.register_buffer("latent_pca", torch.eye(size))
        self.register_buffer("latent_mean", torch.zeros(size))
        self.register_buffer("fidelity", torch.zeros(size))
        self.register_buffer("receptive_field", torch.zeros(2, dtype=torch.long))
        self.pqmf = PQMF(config.pqmf, config.channels, config.padding)
        if config.mel is not None and config.input == "mel":
            self.spectrogram = MelSpectrogram(config.mel, config.sampling_rate, config.channels)
        self.encoder = build_bottleneck(config)
        arguments = (config.decoder_inputs, config.output_size, config.padding)
        self.decoder: GeneratorV1 | GeneratorV2
        if isinstance(config.decoder, GeneratorV1Config):
            self.decoder = GeneratorV1(config.decoder, *arguments)
        else:
            self.decoder = GeneratorV2(config.decoder, *arguments)
        self.discriminator = build_discriminator(config.discriminator, config.channels)
        self.audio_distance = AudioDistance(config.training.distance)
        self.multiband_audio_distance = AudioDistance(config.training.distance)
        self.stream_state = None
        arrange(self, streaming=False)

    # -- audio to latents and back ---------------------------------------------------------------------------

    def analyse(self, x: Tensor) -> Tensor:
        """The encoder's input: bands, log-mel frames, or the audio itself.

        Args:
            x: audio, shape ``[B, channels, T]``.
        """
        self._check(x, self.config.channels, self.config.ratio, "audio")
        if self.config.input == "pqmf":
            return self.pqmf(x)  # type: ignore[no-any-return]
        return self.spectrogram(x) if self.config.input == "mel" else x

    def encode(self, x: Tensor) -> Tensor:
        """The raw output of the encoder: means and scales where it is variational.

        Args:
            x: audio in [-1, 1], shape ``[B, channels, T]``; in a stream T is a multiple of `ratio`.

        Returns:
            Shape ``[B, config.encoder_outputs, T / ratio]``.

        Raises:
            ShapeError: the audio has another number of dimensions or channels.
            StreamError: a block does not suit the stream.
        """
        with self._streaming():
            return self.encoder(self.analyse(x))  # type: ignore[no-any-return]

    def latents(self, x: Tensor) -> Tensor:
        """The latents: a sample, or the means where ``encoder.samples`` is off.

        Args:
            x: audio in [-1, 1], shape ``[B, channels, T]``.

        Returns:
            Shape ``[B, latent_size, T / ratio]``.
        """
        return self.encoder.latents(self.encode(x))

    def decode(self, z: Tensor) -> Tensor:
        """Audio from latents.

        Args:
            z: shape ``[B, config.decoder_inputs, T]``; noise for the channels that are missing is added.

        Returns:
            Shape ``[B, channels, T * ratio]``.

        Raises:
            ShapeError: the latents have another number of dimensions or channels.
        """
        z = self.with_noise(z)
        with self._streaming():
            y: Tensor = self.decoder(z)
            return self.pqmf.inverse(y) if self.config.output == "pqmf" else y

    def forward(self, x: Tensor) -> Tensor:
        """Encode, sample, decode.

        Args:
            x: audio in [-1, 1], shape ``[B, channels, T]``.

        Returns:
            Shape ``[B, channels, T]``.
        """
        return self.decode(self.encoder.latents(self.encode(x)))

    def with_noise(self, z: Tensor) -> Tensor:
        """Latents as the decoder takes them: with noise in the channels that are missing.

        Args:
            z: shape ``[B, latent_size, T]``, or ``[B, config.decoder_inputs, T]``, which stays as it is.

        Raises:
            ShapeError: there is another number of dimensions or channels.
        """
        size, wanted = self.config.latent_size, self.config.decoder_inputs
        if z.dim() == 3 and z.shape[1] == size < wanted:
            noise = torch.randn(z.shape[0], wanted - size, z.shape[-1], dtype=z.dtype, device=z.device)
            return torch.cat([z, noise], 1)
        self._check(z, wanted, 1, "latents")
        return z

    def _check(self, x: Tensor, channels: int, multiple: int, what: Literal["audio", "latents"]) -> None:
        if x.dim() != 3 or x.shape[1] != channels or x.shape[-1] < multiple:
            raise ShapeError(
                f"the model cannot take {'this' if what == 'audio' else 'these'} {what}",
                site=what,
                wanted=f"[batch, {channels}, time], time at least {multiple}",
                got=list(x.shape),
                next_step=self._advice(x, channels, what),
            )
        if self.is_streaming and x.shape[-1] % multiple:
            raise StreamError(
                "a block of a stream has to hold whole frames",
                site=what,
                wanted=f"a multiple of {multiple} samples",
                got=x.shape[-1],
                next_step="collect samples until there are enough, or call offline()",
            )

    def _advice(self, x: Tensor, channels: int, what: str) -> str:
        """What to do about a tensor of another shape."""
        if x.dim() != 3:
            return f"for one signal of shape [{channels}, time], tensor[None] adds the batch"
        if x.shape[1] == channels:
            return "give more of it: at least one frame"
        if what == "audio":
            return f"this model hears and makes {channels} channel{'s' if channels > 1 else ''}"
        if x.shape[1] == self.config.encoder_outputs:
            return "this may be the raw output of RAVE.encode(x); RAVE.latents(x) gives what decode takes"
        return f"this model has {self.config.latent_size} latents; RAVE.latents(x) gives them"

    # -- sizes -----------------------------------------------------------------------------------------------

    @property
    def ratio(self) -> int:
        """Audio samples for each latent frame."""
        return self.config.ratio

    @property
    def latent_size(self) -> int:
        """Number of latent dimensions."""
        return self.config.latent_size

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.config.sampling_rate

    @property
    def channels(self) -> int:
        """Channels of the audio."""
        return self.config.channels

    # -- streams ---------------------------------------------------------------------------------------------

    @property
    def is_streaming(self) -> bool:
        """Whether blocks are taken as the continuation of earlier ones."""
        return self.stream_state is not None

    def stream(self, batch: int = 1, as_original: bool = False, late: int = 0) -> StreamState:
        """Take what comes as a stream of blocks, from silence on.

        Args:
            batch: largest number of signals that are streamed side by side.
            as_original: align layers as the original's exports do. Their latents fall between the frames of
                the offline ones, v1's odd bands have their signs turned, GRU and spectrogram forget the past.
            late: samples by which the audio is late already: frames are aligned to the original's.

        Returns:
            All that the model remembers; ``reset()`` and ``copy()`` it, `resume` a copy.

        Raises:
            StreamError: the batch is smaller than 1.
        """
        if type(batch) is not int or batch < 1:
            raise StreamError(
                "a stream needs a batch", site="batch", wanted="a whole number, at least 1", got=repr(batch)
            )
        close(self)
        opening = Opening(batch, self.latent_mean, as_original)
        self._follow_encode(Delay(Fraction(late), late), opening)
        self._follow_decode(Delay(), opening)
        arrange(self, streaming=True)
        state = StreamState(self, batch, as_original, late)
        self.stream_state = state
        return state

    def resume(self, state: StreamState) -> None:
        """Go on from a state that `stream` or its copy gave.

        Raises:
            StreamError: the state is not of this model's stream.
        """
        running = self.stream_state
        if running is None or (running.as_original, running.late) != (state.as_original, state.late):
            self.stream(state.batch, state.as_original, state.late)
        state.install(self)
        self.stream_state = state

    def offline(self) -> None:
        """Take each input as a whole signal again."""
        close(self)
        self.pqmf.odd = self.pqmf.late = False
        arrange(self, streaming=False)
        self.stream_state = None

    def delay(self, method: Method = "forward", as_original: bool = False, late: int = 0) -> Fraction:
        """How late the output of a stream is, in samples, against the offline output.

        Args:
            method: ``"encode"``, ``"decode"`` or ``"forward"``.
            as_original: with the alignment of the original's exports.
            late: samples by which the audio is late already; they count.

        Returns:
            Samples of audio; for the latents of ``encode`` too. A whole number unless ``as_original``.

        Raises:
            StreamError: there is no such method.
        """
        walk, total = Measure(as_original), Fraction(0)
        if method not in ("encode", "decode", "forward"):
            raise StreamError(
                "no delay is known for this method",
                wanted="'encode', 'decode' or 'forward'",
                got=repr(method),
            )
        if method != "decode":
            total += self._follow_encode(Delay(Fraction(late), late), walk).frames * self.ratio
        if method != "encode":
            total += self._follow_decode(Delay(), walk).frames
        return total

    def latency(self, method: Method = "forward", as_original: bool = False) -> float:
        """How late the output of a stream is, in milliseconds (see `delay`)."""
        return 1000.0 * float(self.delay(method, as_original)) / self.sample_rate

    def _follow_encode(self, delay: Delay, walk: Walk) -> Delay:
        if self.config.input == "pqmf":
            delay = self.pqmf.follow_analysis(delay, walk)
        elif self.config.input == "mel":
            delay = follow(self.spectrogram, delay, walk)
        return follow(self.encoder, delay, walk)

    def _follow_decode(self, delay: Delay, walk: Walk) -> Delay:
        delay = follow(self.decoder, delay, walk)
        return self.pqmf.follow_synthesis(delay, walk) if self.config.output == "pqmf" else delay

    def _streaming(self) -> Any:
        """A stream keeps no gradients: they would reach back to its start."""
        return torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_streaming)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RAVE:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        state = self.stream_state
        if state is not None:
            state.collect(self)
        return self
