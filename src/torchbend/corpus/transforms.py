"""What happens to an excerpt before it is trained on: pitch, cropping, phase, rate, level.

Each is a callable ``(x, rng, sample_rate) -> x`` on float32 arrays ``[channels, frames]`` that leaves its
input as it was, and takes all chance from ``rng``. A :class:`Transform` says besides what it does to length
and sample rate, so that an excerpt is read long enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from torchbend.corpus.compand import RandomCompress
from torchbend.corpus.effects import FrequencyMasking, RandomGain, RandomMute
from torchbend.corpus.filtering import allpass_response, convolve, resampled
from torchbend.corpus.transform import AnyTransform, Samples, Transform
from torchbend.errors import CorpusError

__all__ = [
    "AUGMENTATIONS",
    "Crop",
    "Dequantise",
    "Derivative",
    "Normalise",
    "PhaseMangle",
    "RandomPitch",
    "Resample",
    "standard",
]

AUGMENTATIONS: dict[str, Callable[[], AnyTransform]] = {
    "mute": RandomMute,
    "gain": RandomGain,
    "compress": RandomCompress,
    "masking": FrequencyMasking,
}
"""The augmentations by the names that a command line gives them."""


@dataclass(frozen=True)
class RandomPitch(Transform):
    """Faster and higher, or slower and lower, by a ratio of small whole numbers.

    Args:
        low: the smallest factor of the length; below 1 is faster and higher.
        high: the largest.
        frames: that have to be left; from a sound too short for a factor below 1, only factors that leave so
            many are drawn.
        probability: how often anything changes, in [0, 1].

    Raises:
        CorpusError: no ratio x/y of 1 to 19 other than 1 lies in the range.
    """

    low: float
    high: float
    frames: int
    probability: float = 0.5
    ratios: tuple[tuple[int, int], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        whole = range(1, 20)
        found = {x / y: (x, y) for x in whole for y in whole if math.gcd(x, y) == 1 and x != y}
        fitting = tuple(found[f] for f in sorted(found) if self.low <= f <= self.high)
        if not fitting:
            raise CorpusError(
                "no change of pitch is in this range",
                site="rand_pitch",
                wanted="a range in [1/19, 19] around some ratio x/y of 1 to 19, as 0.9 to 1.1",
                got=f"{self.low:g} to {self.high:g}",
            )
        object.__setattr__(self, "ratios", fitting)

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """Frames grow by the factor drawn."""
        chance, place = rng.random(), rng.random()
        ratios = [r for r in self.ratios if x.shape[1] * r[0] // r[1] >= self.frames]
        if chance >= self.probability or not ratios:
            return x
        least = max(self.low, self.frames / x.shape[1])
        wanted = least + place * (max(self.high, least) - least)
        up, down = next((r for r in ratios if r[0] / r[1] >= wanted), ratios[-1])
        return resampled(x, down, up)

    def frames_needed(self, frames: int, sample_rate: int) -> int:
        """Longer by the smallest factor."""
        up, down = self.ratios[0]
        return max(frames, -(-frames * down // up))

    def least_frames(self, frames: int, sample_rate: int) -> int:
        """What is too short to become faster stays as it is, or becomes slower."""
        return frames


@dataclass(frozen=True)
class Crop(Transform):
    """A piece at a random place.

    Args:
        frames: of the piece, above 0. What is shorter stays whole.
    """

    frames: int

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """The piece."""
        start = int(rng.integers(max(0, x.shape[1] - self.frames) + 1))
        return x[:, start : start + self.frames]


@dataclass(frozen=True)
class PhaseMangle(Transform):
    """Turns phases and leaves magnitudes: an all-pass filter of second order at a random frequency.

    Its poles are at radius ``radius`` and the drawn angle, its zeros at their reciprocals; the filter begins
    at rest and is the same for all channels.

    Args:
        low: the lowest frequency in Hz.
        high: the highest; drawn evenly in the logarithm.
        radius: in (0, 1): how narrow the turn is.
        probability: how often anything changes, in [0, 1].
    """

    low: float = 20.0
    high: float = 2000.0
    radius: float = 0.99
    probability: float = 0.8

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        chance, place = rng.random(), rng.random()
        if chance >= self.probability:
            return x
        frequency = self.low * (self.high / self.low) ** place
        angle = 2 * math.pi * frequency / sample_rate
        return convolve(x, allpass_response(angle, self.radius))


@dataclass(frozen=True)
class Dequantise(Transform):
    """Adds noise below the last bit, even in [0, 1) / 2**bits; in 256 steps, as fine as float32 is at 1.

    Args:
        bits: of the samples.
    """

    bits: int = 16

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        noise = np.frombuffer(rng.bytes(x.size), np.uint8).reshape(x.shape).astype(np.float32)
        noise += np.float32(0.5)
        noise *= np.float32(2.0 ** -(self.bits + 8))
        noise += x
        return noise


@dataclass(frozen=True)
class Resample(Transform):
    """The sample rate of the model, where the corpus has another.

    Args:
        to_rate: in Hz, above 0.
    """

    to_rate: int

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """Frames grow with the rate."""
        return x if sample_rate == self.to_rate else resampled(x, sample_rate, self.to_rate)

    def frames_needed(self, frames: int, sample_rate: int) -> int:
        """As many at the rate of the corpus, and one more for rounding."""
        same = sample_rate == self.to_rate
        return frames if same else math.ceil(frames * sample_rate / self.to_rate) + 1

    def rate_after(self, sample_rate: int) -> int:
        """The model's."""
        return self.to_rate


@dataclass(frozen=True)
class Normalise(Transform):
    """Brings the peak of all channels to full scale; silence stays silent.

    Args:
        most: the largest gain in dB.
    """

    most: float = 30.0

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        peak = float(np.abs(x).max(initial=0.0))
        return x * np.float32(min(10 ** (self.most / 20), 1 / peak)) if peak > 0 else x


@dataclass(frozen=True)
class Derivative(Transform):
    """Half the difference of neighbouring samples, from rest; :func:`~torchbend.corpus.filtering.integrate`
    makes it audible again."""

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """As many frames."""
        return np.diff(x, axis=1, prepend=np.float32(0)) * np.float32(0.5)


def standard(
    frames: int,
    sample_rate: int,
    model_rate: int | None = None,
    rand_pitch: tuple[float, float] | None = None,
    normalise: bool = False,
    derivative: bool = False,
    augment: Sequence[str | AnyTransform] = (),
) -> tuple[AnyTransform, ...]:
    """The transforms of a training in their order: pitch, crop, phase, noise below the last bit, rate, level,
    derivative, augmentations.

    Args:
        frames: that come out, at the model's rate.
        sample_rate: of the corpus in Hz.
        model_rate: of the model; the corpus' by default.
        rand_pitch: the range of :class:`RandomPitch`.
        normalise: :class:`Normalise`.
        derivative: :class:`Derivative`.
        augment: what comes last: transforms, or names out of ``AUGMENTATIONS``.

    Raises:
        CorpusError: the range of the pitch holds no ratio, or an augmentation is unknown.
    """
    resample = Resample(model_rate or sample_rate)
    read = resample.frames_needed(frames, sample_rate)
    pitch = [] if rand_pitch is None else [RandomPitch(*rand_pitch, frames=read)]
    rate = [] if resample.to_rate == sample_rate else [resample, Crop(frames)]
    level = [Normalise()] * normalise + [Derivative()] * derivative
    last = [_augmentation(given) if isinstance(given, str) else given for given in augment]
    return (*pitch, Crop(read), PhaseMangle(), Dequantise(), *rate, *level, *last)


def _augmentation(name: str) -> AnyTransform:
    if name not in AUGMENTATIONS:
        raise CorpusError(
            "there is no such augmentation", site="augment", wanted=", ".join(AUGMENTATIONS), got=name
        )
    return AUGMENTATIONS[name]()
