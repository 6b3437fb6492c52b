"""The fundamental frequency of a sound over time, and how far two sounds differ in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.evaluation.sounds import Sound, mono_pair, to_mono

__all__ = [
    "PitchError",
    "PitchSettings",
    "PitchTrack",
    "cents",
    "compare_pitch",
    "pitch_error",
    "track_pitch",
]

_FRAMES_AT_ONCE = 256

_NEARLY = 0.05
"""Dips that differ by less than this are equally deep: noise makes more of a difference."""


@dataclass(frozen=True)
class PitchSettings:
    """How pitch is searched for.

    Attributes:
        low: lowest frequency in Hz.
        high: highest frequency in Hz.
        band: what lies above this frequency in Hz is not listened to: hiss there hides no pitch.
        frame: length of a frame in seconds, at least three periods of ``low``.
        hop: distance of frames in seconds.
        dip: a period is taken where the normalised difference falls below this (YIN's threshold).
        aperiodic: a frame whose normalised difference stays above this is not voiced.
        quiet_db: nor is one that lies this far below the loudest frame, in dB (below 0).
        silence_db: nor is one whose level is below this, in dB of full scale (below 0).
    """

    low: float = 80.0
    high: float = 1400.0
    band: float = 4000.0
    frame: float = 4096 / 44100
    hop: float = 512 / 44100
    dip: float = 0.12
    aperiodic: float = 0.3
    quiet_db: float = -45.0
    silence_db: float = -65.0

    def __post_init__(self) -> None:
        good = 0 < self.low < self.high <= self.band and self.hop > 0 and 0 < self.dip <= self.aperiodic < 1
        if not good or self.frame * self.low < 3:
            raise TorchbendError(
                "pitch cannot be searched for like this",
                site="PitchSettings",
                wanted="0 < low < high <= band, hop > 0, 0 < dip <= aperiodic < 1, three periods in a frame",
                got=str(self),
            )


class PitchTrack(NamedTuple):
    """The pitch of a sound in frames.

    Attributes:
        time: middle of each frame in seconds, ``[frames]``.
        f0: fundamental frequency in Hz, the best guess where a frame is not voiced, ``[frames]``.
        aperiodicity: 0 for a periodic frame, about 1 for noise, ``[frames]``.
        voiced: whether a frame has a pitch, ``[frames]``.
    """

    time: Tensor
    f0: Tensor
    aperiodicity: Tensor
    voiced: Tensor


class PitchError(NamedTuple):
    """How far the pitch of one sound lies from another's.

    Attributes:
        share_within_50_cents: of the frames that are voiced in the reference, the share where the other is
            voiced too and less than 50 cents away. A frame that lost its pitch counts as wrong.
        median_cents: of the absolute differences where both are voiced; NaN where none are.
        voicing_error: share of all frames where one is voiced and the other is not.
        voiced_frames: voiced in the reference: what the first share is taken of.
    """

    share_within_50_cents: float
    median_cents: float
    voicing_error: float
    voiced_frames: int


def cents(frequency: Tensor, reference: Tensor) -> Tensor:
    """Hundredths of an equal-tempered semitone from one frequency (both in Hz, above 0) to another.

    >>> cents(torch.tensor([880.0]), torch.tensor([440.0]))
    tensor([1200.])
    """
    return 1200 * (frequency / reference).log2()


def track_pitch(x: Sound, sample_rate: float, settings: PitchSettings = PitchSettings()) -> PitchTrack:
    """The fundamental frequency of one voice, by YIN (A. de Cheveigné and H. Kawahara, JASA 111(4), 2002).

    For each frame of the low-passed sound the squared difference between it and itself a lag later (equation
    6, here through one Fourier transform), divided by its mean over all shorter lags (equation 8). The period
    is the first dip below ``settings.dip``, refined by a parabola. Where noise fills all dips it is the first
    that is nearly the deepest, since the multiples of the period have dips as deep as its own.

    Args:
        x: floating point samples; channels are averaged.
        sample_rate: in Hz, above twice ``settings.high``.
        settings: range, frames and thresholds.

    Shape:
        ``[T]``, ``[C, T]`` or ``[1, C, T]``, at least a frame; a shorter sound is followed by silence.

    Raises:
        ShapeError: it is no sound.
        NonFiniteError: it holds NaN or infinity.
        TorchbendError: the sample rate is too low.
    """
    if not sample_rate > 2 * settings.high:
        raise TorchbendError(
            "the sample rate is too low for this pitch",
            site="sample_rate",
            wanted=f"more than {2 * settings.high:g} Hz",
            got=sample_rate,
        )
    frame, hop = round(settings.frame * sample_rate), max(1, round(settings.hop * sample_rate))
    sound = to_mono(x).double()
    sound = _low_passed(sound, sample_rate, settings.band)
    sound = torch.nn.functional.pad(sound, (0, max(0, frame - len(sound))))
    frames = sound.unfold(0, frame, hop)
    shortest, longest = math.floor(sample_rate / settings.high), math.ceil(sample_rate / settings.low)
    found = [_periods(part, shortest, longest, settings.dip) for part in torch.split(frames, _FRAMES_AT_ONCE)]
    period, aperiodicity = torch.cat([p for p, _ in found]), torch.cat([a for _, a in found])
    level = 10 * frames.square().mean(1).clamp_min(1e-30).log10()
    loud = (level > level.max() + settings.quiet_db) & (level > settings.silence_db)
    voiced = loud & (aperiodicity < settings.aperiodic)
    f0 = (sample_rate / period).clamp(settings.low, settings.high)
    time = (torch.arange(len(frames), dtype=torch.float64) * hop + frame / 2) / sample_rate
    return PitchTrack(time, f0, aperiodicity, voiced)


def pitch_error(
    reference: Sound,
    made: Sound,
    sample_rate: float,
    settings: PitchSettings = PitchSettings(),
) -> PitchError:
    """How far the pitch of a sound lies from a reference's, frame by frame, both tracked by `track_pitch`.

    The share within 50 cents is the raw pitch accuracy of melody extraction (Poliner et al., IEEE TASLP
    15(4), 2007), made stricter: a frame that is not voiced in ``made`` is not right.

    Args:
        reference: what was wanted; channels are averaged.
        made: what is judged, of the same shape.
        sample_rate: in Hz.
        settings: range, frames and thresholds, of both.

    Raises:
        ShapeError: the sounds differ in shape.
        NonFiniteError: one of them holds NaN or infinity.
        TorchbendError: the sample rate is too low.
    """
    wanted, got = (track_pitch(x, sample_rate, settings) for x in mono_pair(reference, made))
    return compare_pitch(wanted, got)


def compare_pitch(wanted: PitchTrack, got: PitchTrack) -> PitchError:
    """`pitch_error` of two tracks of the same frames; a share of no frames is NaN."""
    both = wanted.voiced & got.voiced
    apart = cents(got.f0, wanted.f0).abs()
    voiced = int(wanted.voiced.sum())
    return PitchError(
        share_within_50_cents=float((both & (apart < 50)).sum()) / voiced if voiced else math.nan,
        median_cents=float(apart[both].median()) if bool(both.any()) else math.nan,
        voicing_error=float((wanted.voiced != got.voiced).double().mean()),
        voiced_frames=voiced,
    )


def _periods(frames: Tensor, shortest: int, longest: int, dip: float) -> tuple[Tensor, Tensor]:
    """Period in samples and aperiodicity of each frame: ``[n, frame]`` to two of ``[n]``."""
    normal = _normalised_difference(frames, longest + 1)
    inside = normal[:, shortest : longest + 1]
    before, after = normal[:, shortest - 1 : longest], normal[:, shortest + 1 : longest + 2]
    valley = (inside <= before) & (inside <= after)
    deepest = torch.where(valley, inside, torch.inf).amin(1, keepdim=True)
    low = valley & (inside < (deepest + _NEARLY).clamp_min(dip))
    lag = torch.where(low.any(1), low.double().argmax(1), inside.argmin(1))
    row = torch.arange(len(frames))
    left, middle, right = before[row, lag], inside[row, lag], after[row, lag]
    curve = left - 2 * middle + right
    shift = torch.where(curve > 0, (left - right) / (2 * curve.clamp_min(1e-12)), 0.0).clamp(-0.5, 0.5)
    depth = (middle - (left - right) * shift / 4).clamp_min(0)
    return lag + shortest + shift, depth


def _low_passed(sound: Tensor, sample_rate: float, band: float) -> Tensor:
    """A sound without what lies above ``band``; the slope is a fifth to either side of it wide."""
    if band * 1.2 >= sample_rate / 2:
        return sound
    size = len(sound) + 4096
    frequency = torch.fft.rfftfreq(size, 1 / sample_rate, dtype=sound.dtype)
    slope = ((1.2 * band - frequency) / (0.4 * band)).clamp(0, 1)
    gain = 0.5 - 0.5 * torch.cos(math.pi * slope)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(sound, n=size) * gain, n=size)
    return filtered[: len(sound)]


def _normalised_difference(frames: Tensor, longest: int) -> Tensor:
    """YIN's d' at the lags 0 to ``longest``: ``[n, frame]`` to ``[n, longest + 1]``; silence has 1."""
    size = frames.shape[1]
    width = size - longest
    spectrum = torch.fft.rfft(frames)
    # Of the frame's beginning with the whole frame: lags up to `longest` do not wrap around.
    begin = torch.fft.rfft(frames[:, :width], n=size)
    correlation = torch.fft.irfft(begin.conj() * spectrum, n=size)[:, : longest + 1]
    energy = torch.nn.functional.pad(frames.square().cumsum(1), (1, 0))
    moved = energy[:, width : width + longest + 1] - energy[:, : longest + 1]
    difference = (moved[:, :1] + moved - 2 * correlation).clamp_min(0)
    difference[:, 0] = 0
    lags = torch.arange(longest + 1, dtype=frames.dtype)
    mean = difference.cumsum(1) / lags.clamp_min(1)
    normal = torch.where(mean > 1e-12, difference / mean.clamp_min(1e-12), 1.0)
    normal[:, 0] = 1
    return normal
