"""What a transform of an excerpt is: a callable, and what it does to length and sample rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyTransform", "Samples", "Transform"]

Samples: TypeAlias = NDArray[np.float32]
AnyTransform: TypeAlias = Callable[[Samples, np.random.Generator, int], Samples]


class Transform:
    """A transform that may change length or sample rate; this one changes nothing."""

    def __call__(self, x: Samples, rng: np.random.Generator, sample_rate: int) -> Samples:
        """The changed samples ``[channels, *]``."""
        return x

    def frames_needed(self, frames: int, sample_rate: int) -> int:
        """How many frames it wants, so that ``frames`` come out whatever it draws."""
        return frames

    def least_frames(self, frames: int, sample_rate: int) -> int:
        """How many frames it can do with, so that ``frames`` come out."""
        return self.frames_needed(frames, sample_rate)

    def rate_after(self, sample_rate: int) -> int:
        """The sample rate of what comes out, in Hz."""
        return sample_rate
