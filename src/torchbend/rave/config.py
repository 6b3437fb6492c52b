"""The RAVE family as data: one frozen dataclass for each part of a model.

Every value has the meaning that it has in the paper (Caillon and Esling, arXiv 2111.05011). A configuration
holds no code: it can be compared, printed, changed with ``dataclasses.replace`` and written as JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from torchbend.rave.config_training import (
    AdversarialConfig,
    BetaConfig,
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    DistanceConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
    SpectralConfig,
    TrainingConfig,
)

__all__ = [
    "AdversarialConfig",
    "BetaConfig",
    "CombinedConfig",
    "DescriptConfig",
    "DiscreteConfig",
    "DiscriminatorConfig",
    "DistanceConfig",
    "EncoderConfig",
    "EncoderV1Config",
    "EncoderV2Config",
    "GeneratorConfig",
    "GeneratorV1Config",
    "GeneratorV2Config",
    "LatentConfig",
    "MelConfig",
    "MultiPeriodConfig",
    "MultiScaleConfig",
    "NoiseV1Config",
    "NoiseV2Config",
    "PQMFConfig",
    "RAVEConfig",
    "SpectralConfig",
    "SphericalConfig",
    "TrainingConfig",
    "VariationalConfig",
    "WassersteinConfig",
]

Padding = Literal["centered", "causal", "anticausal"]
Activation = Literal["leaky_relu", "snake"]
Dilations = tuple[tuple[int, ...], ...]

DILATIONS: Dilations = ((1, 3, 9), (1, 3, 9), (1, 3, 9), (1, 3))
"""The dilations of the units of each stage, in the encoder's order."""


# -- the way in ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PQMFConfig:
    """The filter bank between audio and sub-bands.

    Attributes:
        bands: number of bands, a power of two; 1 leaves the audio as it is.
        attenuation: of the stop band, in dB.
    """

    bands: int = 16
    attenuation: float = 100.0


@dataclass(frozen=True)
class MelConfig:
    """A log-mel spectrogram as the encoder's input.

    Attributes:
        n_fft: length of window and transform, in samples.
        hop: between frames, in samples.
        mels: number of mel bands.
    """

    n_fft: int = 2048
    hop: int = 256
    mels: int = 128


@dataclass(frozen=True)
class EncoderV1Config:
    """The first encoder: strided convolutions, each after a batch normalisation.

    Attributes:
        capacity: channels after the first convolution; each stage doubles them.
        ratios: of each stage, in the order in which the signal meets them.
        repeat_layers: convolutions in each stage, the strided one included.
        sample_norm: divide by the norm over channels instead of batch normalisation.
    """

    capacity: int = 64
    ratios: tuple[int, ...] = (4, 4, 4, 2)
    repeat_layers: int = 1
    sample_norm: bool = False


@dataclass(frozen=True)
class EncoderV2Config:
    """The second encoder: dilated residual units before each strided convolution.

    Attributes:
        capacity: channels after the first convolution.
        ratios: of each stage, in the order in which the signal meets them.
        dilations: of the units of each stage; stages beyond the last ratio are ignored.
        kernel_size: of the units, in samples.
        keep_dim: multiply the channels by the ratio at each stage, instead of doubling them.
        activation: between the stages; the units themselves always have a leaky ReLU.
        adain: an adaptive instance normalisation before each unit.
        recurrent_layers: number of GRU layers after the last convolution.
    """

    capacity: int = 96
    ratios: tuple[int, ...] = (4, 4, 4, 2)
    dilations: Dilations = DILATIONS
    kernel_size: int = 3
    keep_dim: bool = False
    activation: Activation = "leaky_relu"
    adain: bool = False
    recurrent_layers: int = 0


EncoderConfig = EncoderV1Config | EncoderV2Config


# -- the latent space ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VariationalConfig:
    """A normal distribution for each frame.

    Attributes:
        beta: factor of the divergence, before the factor of the training's schedule.
    """

    beta: float = 1.0


@dataclass(frozen=True)
class WassersteinConfig:
    """Latents that a maximum mean discrepancy pulls towards a normal distribution.

    Attributes:
        noise_augmentation: channels of normal noise that the decoder gets beside the latents.
    """

    noise_augmentation: int = 128


@dataclass(frozen=True)
class DiscreteConfig:
    """Codes of a residual vector quantiser.

    Attributes:
        num_quantizers: codebooks, each coding what the ones before left over.
        codebook_size: codes in each.
        noise_augmentation: channels of normal noise that the decoder gets beside the latents.
        decay: of the moving averages of the codes, for each training step.
        epsilon: added to counts of use.
        dead_code_threshold: a code used less than this is drawn anew from the batch.
        kmeans_iterations: rounds of k-means that find the first codes.
    """

    num_quantizers: int = 16
    codebook_size: int = 1024
    noise_augmentation: int = 128
    decay: float = 0.99
    epsilon: float = 1e-5
    dead_code_threshold: float = 2.0
    kmeans_iterations: int = 50


@dataclass(frozen=True)
class SphericalConfig:
    """Latents on the unit sphere."""


LatentConfig = VariationalConfig | WassersteinConfig | DiscreteConfig | SphericalConfig


# -- the way out -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NoiseV1Config:
    """The filtered noise of the first generator.

    Attributes:
        ratios: strides of the convolutions that find the filters; a filter for each ``prod(ratios)`` frames.
        bands: frequencies at which a filter is given.
    """

    ratios: tuple[int, ...] = (4, 4, 4)
    bands: int = 5


@dataclass(frozen=True)
class NoiseV2Config:
    """The filtered noise of the second generator.

    Attributes:
        hidden_size: channels between the convolutions that find the filters.
        ratios: strides of these convolutions.
        bands: frequencies at which a filter is given.
        activation: between these convolutions.
    """

    hidden_size: int = 128
    ratios: tuple[int, ...] = (2, 2, 2)
    bands: int = 5
    activation: Activation = "leaky_relu"


@dataclass(frozen=True)
class GeneratorV1Config:
    """The first generator: transposed convolutions with stacks of residual layers; waveform, loudness, noise.

    Attributes:
        capacity: channels after the last stage.
        ratios: of each stage, in the order in which the latents meet them.
        kernels: kernel sizes of the parallel chains of each stack.
        dilations: of each residual layer of a chain, one for each of its convolutions.
        loudness_stride: stride of the loudness branch.
        noise: the noise branch; ``None`` for none.
    """

    capacity: int = 64
    ratios: tuple[int, ...] = (4, 4, 4, 2)
    kernels: tuple[int, ...] = (3,)
    dilations: Dilations = ((1, 1), (3, 1), (5, 1))
    loudness_stride: int = 1
    noise: NoiseV1Config | None = NoiseV1Config()


@dataclass(frozen=True)
class GeneratorV2Config:
    """The second generator: dilated residual units after each transposed convolution.

    Attributes:
        capacity: channels after the last stage.
        ratios: of each stage, as in a configuration file: the latents meet them in reversed order.
        dilations: of the units of each stage; reversed with the ratios.
        kernel_size: of the units, in samples.
        keep_dim: divide the channels by the ratio at each stage, instead of halving them.
        activation: between the stages; the units themselves always have a leaky ReLU.
        adain: an adaptive instance normalisation before each unit.
        amplitude_modulation: the waveform is multiplied by a second one, through a sigmoid.
        recurrent_layers: number of GRU layers before the first convolution.
        noise: filtered noise added to the waveform; ``None`` for none.
    """

    capacity: int = 96
    ratios: tuple[int, ...] = (4, 4, 4, 2)
    dilations: Dilations = DILATIONS
    kernel_size: int = 3
    keep_dim: bool = False
    activation: Activation = "leaky_relu"
    adain: bool = False
    amplitude_modulation: bool = True
    recurrent_layers: int = 0
    noise: NoiseV2Config | None = None


GeneratorConfig = GeneratorV1Config | GeneratorV2Config


# -- the whole -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RAVEConfig:
    """A whole model.

    Attributes:
        name: of the configuration, for people.
        sampling_rate: in Hz.
        channels: of the audio.
        latent_size: number of latent dimensions.
        padding: of all convolutions of encoder, decoder and filter bank.
        pqmf: the filter bank.
        input: what the encoder gets: sub-bands, log-mel frames or audio.
        mel: the spectrogram; needed where ``input`` is ``"mel"``.
        encoder: from the input to the raw latents.
        latent: from the raw latents to the latents.
        decoder: from the latents to the output.
        output: what the decoder gives: sub-bands or audio.
        discriminator: what listens during training.
        training: losses and schedules.
    """

    name: str = "custom"
    sampling_rate: int = 44_100
    channels: int = 1
    latent_size: int = 128
    padding: Padding = "centered"
    pqmf: PQMFConfig = PQMFConfig()
    input: Literal["pqmf", "mel", "raw"] = "pqmf"
    mel: MelConfig | None = None
    encoder: EncoderConfig = EncoderV2Config()
    latent: LatentConfig = VariationalConfig()
    decoder: GeneratorConfig = GeneratorV2Config()
    output: Literal["pqmf", "raw"] = "pqmf"
    discriminator: DiscriminatorConfig = field(
        default_factory=lambda: CombinedConfig((MultiPeriodConfig(96), MultiScaleConfig(96)))
    )
    training: TrainingConfig = TrainingConfig()

    @property
    def ratio(self) -> int:
        """Audio samples for each latent frame."""
        return self.input_hop * math.prod(self.encoder.ratios)

    @property
    def input_hop(self) -> int:
        """Audio samples for each frame of the encoder's input."""
        if self.input == "mel":
            return self.mel.hop if self.mel is not None else 0
        return self.pqmf.bands if self.input == "pqmf" else 1

    @property
    def input_size(self) -> int:
        """Channels of the encoder's input, for all audio channels."""
        if self.input == "mel":
            return self.channels * (self.mel.mels if self.mel is not None else 0)
        return self.channels * (self.pqmf.bands if self.input == "pqmf" else 1)

    @property
    def output_hop(self) -> int:
        """Audio samples for each frame of the decoder's output."""
        return self.pqmf.bands if self.output == "pqmf" else 1

    @property
    def output_size(self) -> int:
        """Channels of the decoder's output, for all audio channels."""
        return self.channels * self.output_hop

    @property
    def encoder_outputs(self) -> int:
        """Channels of the raw encoder output: twice the latents where there are means and scales."""
        return self.latent_size * (2 if isinstance(self.latent, VariationalConfig) else 1)

    @property
    def noise_augmentation(self) -> int:
        """Channels of noise beside the latents."""
        return int(getattr(self.latent, "noise_augmentation", 0))

    @property
    def decoder_inputs(self) -> int:
        """Channels that the decoder takes: latents and noise."""
        return self.latent_size + self.noise_augmentation
