"""Batches of a corpus, to train on and to validate with."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from torchbend.corpus.excerpts import Excerpts
from torchbend.corpus.store import Corpus
from torchbend.corpus.transforms import Derivative, Normalise, standard
from torchbend.errors import TrainingError
from torchbend.training.order import Batches
from torchbend.training.settings import RunSettings

__all__ = ["Data"]


class Data:
    """The excerpts of a corpus, in the order of a training.

    Args:
        corpus: where they are read; long sounds are cut in parts, so that some can be held out.
        settings: of the training.
        sample_rate: of the model, in Hz.
        process: number of this process.
        processes: that train together.
        pinned: keep batches where a GPU reaches them quickly.

    Raises:
        CorpusError: no sound is long enough.
        TrainingError: there is nothing to validate with.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: RunSettings,
        sample_rate: int,
        process: int = 0,
        processes: int = 1,
        pinned: bool = False,
    ) -> None:
        corpus = corpus.divided()
        train, held_out = corpus.split(settings.held_out)
        if not held_out:
            raise TrainingError(
                "a single short sound leaves nothing to validate with",
                site=str(corpus.path),
                wanted="two sounds, or one of more than 30 s (with copies: of 3 minutes)",
                got=corpus.sounds[0].name,
                next_step="preprocess another recording into the same corpus",
            )
        transforms = standard(
            settings.length,
            corpus.sample_rate,
            sample_rate,
            rand_pitch=settings.rand_pitch,
            normalise=settings.normalise,
            derivative=settings.derivative,
            augment=settings.augment,
        )
        self.train = Excerpts(corpus, train, settings.length, transforms, seed=settings.seed)
        # What a model always hears, it is judged by too; what is varied by chance is not.
        level = [Normalise()] * settings.normalise + [Derivative()] * settings.derivative
        self.held_out = Excerpts(corpus, held_out, settings.length, level, seed=settings.seed)
        batch = settings.batch * settings.accumulate
        self.order = Batches(len(self.train), batch, settings.seed, process, processes)
        workers = settings.workers
        self._loader = DataLoader(
            self.train,
            batch_sampler=self.order,
            num_workers=workers,
            pin_memory=pinned,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )
        self._batch = settings.batch
        self._validated = min(len(self.held_out), settings.validation_excerpts)

    def from_place(self, epoch: int, batch: int) -> Iterator[tuple[int, int, Tensor]]:
        """Batches without end, from a place on.

        Yields:
            Epoch, number of the batch in it, and audio ``[B, C, length]``.
        """
        while True:
            self.order.epoch, self.order.start = epoch, batch
            self.train.set_epoch(epoch)
            for number, x in enumerate(self._loader, start=batch):
                yield epoch, number, x
            epoch, batch = epoch + 1, 0

    def places(self, epoch: int, batch: int) -> str:
        """Words for the sounds that a batch was read from, all of them: one is the cause."""
        self.order.epoch, self.order.start = epoch, batch
        numbers = next(iter(self.order), [])
        return "; ".join(self.train.place(number) for number in numbers)

    def validation(self) -> Iterator[Tensor]:
        """The held-out excerpts, the same ones each time."""
        batch: list[Tensor] = []
        for number in range(self._validated):
            batch.append(self.held_out[number])
            if len(batch) == self._batch or number == self._validated - 1:
                yield torch.stack(batch)
                batch = []
