"""Many sounds out of one: random pitch, speed, gain, equalisation, filtering; a seed gives the same ones."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields

import numpy as np

from torchbend.corpus.equaliser import Biquad, filtered, high_pass, low_pass, peak, shelf, through
from torchbend.corpus.sources import Block
from torchbend.corpus.stretching import change_pitch_and_speed
from torchbend.errors import TorchbendError

__all__ = ["CEILING", "UNALTERED", "Alteration", "Augmentation", "alter", "faded", "limited"]

CEILING = 0.99
"""The largest sample that is written, of full scale."""

_FADE = 0.005
"""Seconds over which an altered sound begins and ends."""


@dataclass(frozen=True)
class Alteration:
    """What is done to one copy of a sound.

    Args:
        pitch: in semitones, above 0 is higher.
        speed: above 1 is shorter.
        gain: in dB.
        bells: peaking filters, each ``(Hz, dB, Q)``.
        low_shelf: ``(Hz, dB)``, or None.
        high_shelf: ``(Hz, dB)``, or None.
        low_pass: cutoff in Hz, or None.
        high_pass: cutoff in Hz, or None.
    """

    pitch: float = 0.0
    speed: float = 1.0
    gain: float = 0.0
    bells: tuple[tuple[float, float, float], ...] = ()
    low_shelf: tuple[float, float] | None = None
    high_shelf: tuple[float, float] | None = None
    low_pass: float | None = None
    high_pass: float | None = None


UNALTERED = Alteration()


@dataclass(frozen=True)
class Augmentation:
    """The ranges that alterations are drawn from.

    What one copy gets depends on the seed, the name of the source and the number of the copy alone, and
    each kind of change is drawn by itself: other sources, other workers, or a change of another kind that
    is turned off make no difference.

    Args:
        seed: of all draws.
        pitch: lowest and highest, in semitones.
        speed: slowest and fastest, above 0; as often slower than faster.
        gain: quietest and loudest, in dB.
        bells: how many peaking filters.
        bell_gain: the most that one of them takes away or adds, in dB.
        shelf_gain: the most that the low and the high shelf take away or add, in dB.
        low_pass: range of the cutoff in Hz.
        high_pass: range of the cutoff in Hz.
        filter_chance: the share of the copies that are low-passed, and of those that are high-passed.
        tape: pitch and speed change together, as on a tape, by ``pitch``; ``speed`` says nothing then.

    Raises:
        TorchbendError: a range is upside down or holds what its unit does not allow.
    """

    seed: int = 0
    pitch: tuple[float, float] = (-2.0, 2.0)
    speed: tuple[float, float] = (0.85, 1.2)
    gain: tuple[float, float] = (-6.0, 3.0)
    bells: int = 2
    bell_gain: float = 3.0
    shelf_gain: float = 3.0
    low_pass: tuple[float, float] = (5000.0, 16000.0)
    high_pass: tuple[float, float] = (30.0, 120.0)
    filter_chance: float = 0.2
    tape: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            positive = field.name in {"speed", "low_pass", "high_pass"}
            if isinstance(value, tuple):
                good = all(map(math.isfinite, value)) and value[0] <= value[1]
                good = good and (value[0] > 0 or not positive)
            else:
                good = field.name == "seed" or (math.isfinite(value) and value >= 0)
            if not good or (field.name == "filter_chance" and value > 1):
                raise TorchbendError(
                    "nothing can be drawn from this range",
                    site=field.name,
                    wanted="two numbers, low then high" + " and above 0" * positive
                    if isinstance(value, tuple)
                    else "0 or more" + " and at most 1" * (field.name == "filter_chance"),
                    got=value,
                )

    def draw(self, source: str, copy: int) -> Alteration:
        """The alteration of one copy. Copy 0 is the sound as it is.

        Args:
            source: the name of the sound.
            copy: its number, from 0.
        """
        if copy == 0:
            return UNALTERED

        def dice(kind: str) -> np.random.Generator:
            text = "\0".join([str(self.seed), source, str(copy), kind])
            return np.random.default_rng(list(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()))

        pitch = _uniform(dice("pitch"), *self.pitch)
        speed = 2 ** (pitch / 12) if self.tape else _log_uniform(dice("speed"), *self.speed)
        return Alteration(
            pitch=pitch,
            speed=round(speed, 5),
            gain=_uniform(dice("gain"), *self.gain),
            bells=tuple(self._bell(dice(f"bell {number}")) for number in range(self.bells)),
            low_shelf=self._shelf(dice("low shelf"), 80.0, 400.0),
            high_shelf=self._shelf(dice("high shelf"), 2500.0, 9000.0),
            low_pass=self._cutoff(dice("low pass"), self.low_pass),
            high_pass=self._cutoff(dice("high pass"), self.high_pass),
        )

    def _bell(self, rng: np.random.Generator) -> tuple[float, float, float]:
        gain = _uniform(rng, -self.bell_gain, self.bell_gain)
        return _log_uniform(rng, 150.0, 6000.0), gain, _log_uniform(rng, 0.5, 1.5)

    def _shelf(self, rng: np.random.Generator, low: float, high: float) -> tuple[float, float] | None:
        gain = _uniform(rng, -self.shelf_gain, self.shelf_gain)
        return (_log_uniform(rng, low, high), gain) if self.shelf_gain else None

    def _cutoff(self, rng: np.random.Generator, ends: tuple[float, float]) -> float | None:
        return _log_uniform(rng, *ends) if rng.random() < self.filter_chance else None


def alter(samples: Block, sample_rate: float, new_rate: float, alteration: Alteration) -> Block:
    """One copy of a sound, at the wanted rate, limited to :data:`CEILING`.

    Args:
        samples: ``[C, n]``.
        sample_rate: of ``samples``, in Hz.
        new_rate: of the result, in Hz.
        alteration: what to do; without one, the sound is resampled only.

    Shape:
        ``[C, n]`` to ``[C, round(n * new_rate / sample_rate / speed)]``.
    """
    wanted = alteration
    if wanted == UNALTERED:
        return limited(change_pitch_and_speed(samples, sample_rate, new_rate))
    # A stretched sound ends up to 12 ms before or behind its own end: both ends have to be soft.
    soft = faded(samples, sample_rate, begin=False)
    found = change_pitch_and_speed(soft, sample_rate, new_rate, wanted.pitch, wanted.speed)
    filters = _filters(wanted, new_rate)
    if filters:
        found = filtered(found, through(filters))
    return limited(faded(found * np.float32(10 ** (wanted.gain / 20)), new_rate))


def limited(samples: Block) -> Block:
    """The whole sound quieter, if its largest sample is over :data:`CEILING`; its shape is kept."""
    top = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(CEILING / top) if top > CEILING else samples


def faded(samples: Block, sample_rate: float, begin: bool = True, end: bool = True) -> Block:
    """The sound with 5 ms of raised cosine at its beginning, its end, or both.

    Args:
        samples: ``[C, n]``.
        sample_rate: in Hz.
        begin: fade in.
        end: fade out.
    """
    count = min(round(_FADE * sample_rate), samples.shape[1] // 2)
    if count == 0 or not (begin or end):
        return samples
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)).astype(np.float32)
    result = samples.copy()
    if begin:
        result[:, :count] *= rise
    if end:
        result[:, -count:] *= rise[::-1]
    return result


def _filters(wanted: Alteration, rate: float) -> list[Biquad]:
    found = [peak(frequency, gain, q, rate) for frequency, gain, q in wanted.bells]
    if wanted.low_shelf:
        found.append(shelf(*wanted.low_shelf, sample_rate=rate, high=False))
    if wanted.high_shelf:
        found.append(shelf(*wanted.high_shelf, sample_rate=rate, high=True))
    if wanted.low_pass is not None:
        found.append(low_pass(wanted.low_pass, rate))
    if wanted.high_pass is not None:
        found.append(high_pass(wanted.high_pass, rate))
    return found


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(np.exp(rng.uniform(math.log(low), math.log(high)))), 4)
