"""What listens during training, and how training goes, as data (see `torchbend.rave.config`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = [
    "AdversarialConfig",
    "BetaConfig",
    "CombinedConfig",
    "DEFAULT_WEIGHTS",
    "DescriptConfig",
    "DiscriminatorConfig",
    "DistanceConfig",
    "MultiPeriodConfig",
    "MultiScaleConfig",
    "SpectralConfig",
    "TrainingConfig",
]


# -- what listens during training ------------------------------------------------------------------------


@dataclass(frozen=True)
class MultiScaleConfig:
    """1-D convolutional discriminators on the signal at several rates, each half of the one before.

    Attributes:
        capacity: channels after the first convolution; each layer doubles them.
        scales: number of rates.
        kernel_size: of the convolutions, in samples.
        stride: of each layer.
        layers: strided convolutions in each discriminator.
    """

    capacity: int = 64
    scales: int = 3
    kernel_size: int = 15
    stride: int = 4
    layers: int = 4


@dataclass(frozen=True)
class MultiPeriodConfig:
    """2-D convolutional discriminators on the signal folded at several periods.

    Attributes:
        capacity: channels after the first convolution; each layer doubles them.
        periods: in samples.
        kernel_size: along time, in periods.
        stride: of each layer, along time.
        layers: strided convolutions in each discriminator.
    """

    capacity: int = 64
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    kernel_size: int = 5
    stride: int = 4
    layers: int = 4


@dataclass(frozen=True)
class SpectralConfig:
    """2-D convolutional discriminators on complex spectrograms at several resolutions.

    Attributes:
        capacity: channels of the convolutions.
        scales: lengths of the transforms, in samples; the hop is a quarter.
    """

    capacity: int = 32
    scales: tuple[int, ...] = (4096, 2048, 1024, 512, 256)


@dataclass(frozen=True)
class CombinedConfig:
    """Several discriminators side by side.

    Attributes:
        parts: the discriminators, in the order of their names in a checkpoint.
    """

    parts: tuple[MultiPeriodConfig | MultiScaleConfig | SpectralConfig, ...]


@dataclass(frozen=True)
class DescriptConfig:
    """The discriminators of the Descript audio codec: periods and band-wise complex spectrograms.

    Attributes:
        periods: of the folded signals, in samples.
        windows: lengths of the transforms, in samples; the hop is a quarter.
        bands: edges of the frequency bands, as fractions of the spectrum.
        rates: factors of down-sampled signals with a discriminator each; none by default.
    """

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    windows: tuple[int, ...] = (2048, 1024, 512)
    bands: tuple[tuple[float, float], ...] = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
    rates: tuple[int, ...] = ()


DiscriminatorConfig = MultiScaleConfig | MultiPeriodConfig | SpectralConfig | CombinedConfig | DescriptConfig


# -- training --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DistanceConfig:
    """The multi-scale spectral distance.

    Attributes:
        scales: lengths of the transforms, in samples; the hop is a quarter.
        log_epsilon: added to magnitudes before their logarithm.
    """

    scales: tuple[int, ...] = (2048, 1024, 512, 256, 128)
    log_epsilon: float = 1e-7


@dataclass(frozen=True)
class AdversarialConfig:
    """The adversarial part of training.

    Attributes:
        loss: the form of the adversarial losses.
        relative_features: divide the distance of features by their mean magnitude.
        skipped_features: features at the front of each list that are not compared.
        update_every: a step of the discriminator in so many steps; the others are the generator's.
    """

    loss: Literal["hinge", "least_squares", "non_saturating"] = "hinge"
    relative_features: bool = True
    skipped_features: int = 1
    update_every: int = 4


@dataclass(frozen=True)
class BetaConfig:
    """The schedule of the factor of the latent regularisation.

    Attributes:
        initial: at the first step.
        target: after ``warmup`` steps.
        warmup: in steps.
        logarithmic: interpolate logarithms instead of values.
    """

    initial: float = 1e-6
    target: float = 0.05
    warmup: int = 20_000
    logarithmic: bool = True


DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"audio_distance": 1.0, "multiband_audio_distance": 1.0, "adversarial": 1.0, "feature_matching": 20.0}
)
"""The factors of the losses where a configuration names no other."""


@dataclass(frozen=True)
class TrainingConfig:
    """What training needs beside the model.

    Attributes:
        phase_1_duration: steps before the discriminator comes in.
        beta: schedule of the regularisation.
        distance: spectral distance between target and output.
        adversarial: losses of the second phase.
        weights: factors of the losses by name, as a configuration file writes them.
        valid_signal_crop: compare only what does not depend on the padding.
        warmup_quantize: step at which a quantiser starts; -1 is the first, ``None`` never.
    """

    phase_1_duration: int = 1_000_000
    beta: BetaConfig = BetaConfig()
    distance: DistanceConfig = DistanceConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    weights: tuple[tuple[str, float], ...] = (("feature_matching", 20.0),)
    valid_signal_crop: bool = True
    warmup_quantize: int | None = None

    @property
    def loss_weights(self) -> dict[str, float]:
        """All factors by name, the defaults included; a new dict each time."""
        return {**DEFAULT_WEIGHTS, **dict(self.weights)}
