"""Excerpts of equal length at random places of a corpus, as a dataset for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from torchbend.corpus.store import Corpus
from torchbend.corpus.transform import AnyTransform, Transform
from torchbend.errors import CorpusError

__all__ = ["Excerpts"]


class Excerpts(Dataset[Tensor]):
    """Excerpts of some sounds of a corpus; each is read at a place that is new in every epoch.

    An epoch holds as many excerpts of a sound as fit into it one after the other. An item depends on
    ``(seed, epoch, index)`` alone: it is the same in whichever worker, process or order it is asked for.

    Args:
        corpus: where they are read.
        indices: of the sounds that are used. Sounds that are too short for one excerpt are left out.
        length: of an excerpt in frames, at the rate that the transforms end with.
        transforms: in their order; each a callable ``(x, rng, sample_rate) -> x``.
        seed: of all chance, 0 or more.

    Attributes:
        sample_rate: of the excerpts in Hz.
        too_short: how many of the sounds were left out.

    Raises:
        CorpusError: the length is below 1, or no sound is long enough.
    """

    def __init__(
        self,
        corpus: Corpus,
        indices: Sequence[int],
        length: int,
        transforms: Sequence[AnyTransform] = (),
        seed: int = 0,
    ) -> None:
        if length < 1:
            raise CorpusError("no excerpt has this length", site="length", wanted="1 or more", got=length)
        self.corpus, self.length, self.transforms, self.seed = corpus, length, tuple(transforms), seed
        self._wanted, self._least, self.sample_rate = _frames_read(
            self.transforms, length, corpus.sample_rate
        )
        frames = np.array([corpus.sounds[i].frames for i in indices], np.int64)
        enough = frames >= self._least
        self.too_short = int((~enough).sum())
        if not enough.any():
            raise self._all_too_short(frames)
        self._sounds = np.asarray(indices, np.int64)[enough]
        self._ends = np.cumsum(np.maximum(frames[enough] // self._least, 1))
        # Shared, so that workers that outlive an epoch see the next one.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """The number that :meth:`set_epoch` gave; 0 at first."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the places of another epoch, in running workers too.

        Args:
            epoch: 0 or more.
        """
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Tensor:
        """The excerpt, float32 ``[channels, length]``."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        sound = int(self._sounds[np.searchsorted(self._ends, index, side="right")])
        frames = min(self._wanted, self.corpus.sounds[sound].frames)
        start = int(rng.integers(self.corpus.sounds[sound].frames - frames + 1))
        x, rate = self.corpus.read(sound, start, frames), self.corpus.sample_rate
        for transform in self.transforms:
            x = transform(x, rng, rate)
            rate = transform.rate_after(rate) if isinstance(transform, Transform) else rate
        return torch.from_numpy(self._fitted(x, rng, sound))

    def place(self, index: int) -> str:
        """Words for the place of an item: the sound that it is read from."""
        sound = int(self._sounds[np.searchsorted(self._ends, index, side="right")])
        return f"item {index} of epoch {self.epoch}, from {self.corpus.sounds[sound].name}"

    def _fitted(
        self, x: np.ndarray[tuple[int, ...], np.dtype[np.float32]], rng: np.random.Generator, sound: int
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Exactly ``length`` frames of float32."""
        more = x.shape[1] - self.length
        if more < 0:
            raise CorpusError(
                "the transforms leave too little of an excerpt",
                site=self.corpus.sounds[sound].name,
                wanted=f"{self.length} frames",
                got=f"{x.shape[1]} frames",
                next_step="a transform that shortens is a Transform whose frames_needed tells by how much",
            )
        start = int(rng.integers(more + 1)) if more else 0
        return np.ascontiguousarray(x[:, start : start + self.length], dtype=np.float32)

    def _all_too_short(self, frames: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> CorpusError:
        rate = self.corpus.sample_rate
        longest = int(frames.max(initial=0))
        return CorpusError(
            "no sound is long enough for one excerpt" if len(frames) else "there are no sounds to read",
            site=str(self.corpus.path),
            wanted=f"sounds of {self._least} frames ({self._least / rate:.2f} s) or more",
            got=f"{len(frames)} sounds, the longest of {longest} frames ({longest / rate:.2f} s)",
            next_step="train on shorter excerpts, or preprocess longer recordings",
        )


def _frames_read(transforms: Sequence[AnyTransform], length: int, sample_rate: int) -> tuple[int, int, int]:
    """Frames to read whatever is drawn, frames without which nothing comes out, and the last sample rate."""
    rates = [sample_rate]
    for transform in transforms:
        rates.append(transform.rate_after(rates[-1]) if isinstance(transform, Transform) else rates[-1])
    wanted = least = length
    for transform, rate in zip(reversed(transforms), reversed(rates[:-1]), strict=True):
        if isinstance(transform, Transform):
            wanted = transform.frames_needed(wanted, rate)
            least = transform.least_frames(least, rate)
    return wanted, least, rates[-1]
