"""What a collection of sounds is worth beside the one that it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.errors import ShapeError, TorchbendError
from torchbend.evaluation.embedding import embedding_distance
from torchbend.evaluation.loudness import loudness_error
from torchbend.evaluation.pitch import PitchError, PitchTrack, compare_pitch, track_pitch
from torchbend.evaluation.sounds import Sound, one_sound, pair
from torchbend.evaluation.spectral import log_mel_distance, spectral_distance

__all__ = ["Reference", "Scores", "scorable"]

SHORTEST = 2048
"""Samples that a sound needs to be compared: the longest window of the spectral distance."""


@dataclass(frozen=True)
class Scores:
    """How far a collection lies from its reference; all but the third are 0 for equal collections.

    Attributes:
        spectral_distance: RAVE's, a mean over sounds.
        log_mel_distance: in dB, a mean over sounds.
        pitch_within_50_cents: share of all frames that are voiced in the reference; NaN where none are.
        pitch_median_cents: of the absolute differences; NaN where no frame is voiced in both.
        voicing_error: share of all frames.
        loudness_error: in dB(A), a mean over sounds.
        embedding_distance: of the timbres, in squared dB.
    """

    spectral_distance: float
    log_mel_distance: float
    pitch_within_50_cents: float
    pitch_median_cents: float
    voicing_error: float
    loudness_error: float
    embedding_distance: float


def scorable(x: Sound) -> str | None:
    """Why a sound cannot stand in a reference, or None: it is too short, or silent.

    Raises:
        ShapeError: it is no sound.
        NonFiniteError: it holds NaN or infinity.
    """
    sound = one_sound(x)
    if sound.shape[-1] < SHORTEST:
        return f"shorter than {SHORTEST} samples"
    return None if float(sound.abs().max()) > 1e-5 else "silent"


class Reference:
    """Sounds that others are compared with; their pitch is tracked once.

    Args:
        sounds: each ``[T]``, ``[C, T]`` or ``[1, C, T]``; a second or more in all.
        sample_rate: of all, in Hz, 8000 or more.

    Raises:
        ShapeError: there are none, or one of them is no sound.
        NonFiniteError: one holds NaN or infinity.
        TorchbendError: one is too short or silent, or the sample rate is too low.
    """

    def __init__(self, sounds: Sequence[Sound], sample_rate: int) -> None:
        if not sounds:
            raise ShapeError("there is nothing to compare with", site="sounds", wanted="at least one sound")
        for number, sound in enumerate(sounds):
            reason = scorable(sound)
            if reason is not None:
                raise TorchbendError(
                    "a sound cannot be compared with", site=f"sounds[{number}]", wanted="a sound", got=reason
                )
        self.sample_rate = sample_rate
        self.sounds = [one_sound(sound) for sound in sounds]
        self._tracks = [track_pitch(sound, sample_rate) for sound in self.sounds]

    @property
    def seconds(self) -> float:
        """Of all sounds together."""
        return sum(sound.shape[-1] for sound in self.sounds) / self.sample_rate

    def score(self, made: Sequence[Sound]) -> Scores:
        """Compare a collection with the reference, sound by sound.

        Args:
            made: as many sounds, each of the shape of its reference.

        Raises:
            ShapeError: their number, or the shape of one of them, is another.
            NonFiniteError: one holds NaN or infinity.
        """
        if len(made) != len(self.sounds):
            raise ShapeError(
                "each sound of the reference has its own to be compared with",
                site="made",
                wanted=f"{len(self.sounds)} sounds",
                got=len(made),
            )
        rate = self.sample_rate
        pairs = [pair(x, y) for x, y in zip(self.sounds, made, strict=True)]
        pitch = self._pitch(made)
        return Scores(
            spectral_distance=_mean([spectral_distance(x, y) for x, y in pairs]),
            log_mel_distance=_mean([log_mel_distance(x, y, rate) for x, y in pairs]),
            pitch_within_50_cents=pitch.share_within_50_cents,
            pitch_median_cents=pitch.median_cents,
            voicing_error=pitch.voicing_error,
            loudness_error=_mean([loudness_error(x, y, rate) for x, y in pairs]),
            embedding_distance=embedding_distance(self.sounds, made, rate),
        )

    def _pitch(self, made: Sequence[Sound]) -> PitchError:
        """Of the frames of all sounds together: a long sound counts for more than a short one."""
        tracks = [track_pitch(sound, self.sample_rate) for sound in made]
        return compare_pitch(_joined(self._tracks), _joined(tracks))


def _joined(tracks: Sequence[PitchTrack]) -> PitchTrack:
    columns: list[Tensor] = [torch.cat(column) for column in zip(*tracks, strict=True)]
    return PitchTrack(*columns)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
