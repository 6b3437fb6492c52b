"""A training from its first step, or from a checkpoint, to its last."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from torchbend.audio import write_audio
from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_json import to_dict
from torchbend.training.board import Board
from torchbend.training.data import Data
from torchbend.training.folder import BEST, RunFolder
from torchbend.training.machine import accelerated
from torchbend.training.records import Records
from torchbend.training.settings import RunSettings
from torchbend.training.stepping import Stepping
from torchbend.version import __version__

__all__ = ["Listener", "Loop", "Progress"]

Listener = Callable[["Progress"], None]


@dataclass
class Progress:
    """Where a training is.

    Attributes:
        step: steps done.
        epoch: passes through the corpus done.
        batch: batches of this epoch done.
        phase: 1 or 2.
        values: the last losses, means since the last line of the log.
        seconds: of work in all runs of this training.
        step_seconds: of one step, a mean since the last line of the log.
        waited: share of the time in which steps waited for data, since the last line of the log.
        event: what has just happened, in words; empty for a plain step.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    phase: int = 1
    values: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    step_seconds: float = 0.0
    waited: float = 0.0
    event: str = ""


E = TypeVar("E", bound=Stepping)
T = TypeVar("T", bound=RunSettings)


class Loop(ABC, Generic[E, T]):
    """One run: what is trained, data, folder.

    Args:
        folder: of the run.
        config: of the model that is trained, or that a prior is for.
        settings: of the training.
        corpus: to train on.
        checkpoint: a file of this or another run to go on from; True takes the run's last one.
        device: as ``"cpu"`` or ``"cuda"``; by default what ``accelerate`` finds, or was started with.

    Raises:
        TrainingError: what would go wrong later (see `torchbend.training.preflight`), or the folder holds
            another run.
        CorpusError: no sound is long enough.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RAVEConfig,
        settings: T,
        corpus: Corpus,
        checkpoint: str | bool | None = None,
        device: str | None = None,
    ) -> None:
        self.folder, self.config, self.settings, self.corpus = folder, config, settings, corpus
        self.accelerator = accelerated(device)
        own = self.accelerator
        if folder.exists and not checkpoint:
            raise TrainingError(
                "a run of this name is there already",
                site=str(folder.path),
                next_step="go on with it by --resume, or choose another --name",
            )
        own.wait_for_everyone()  # until all have looked: the first one is about to begin the run
        pinned = own.device.type == "cuda"
        self.data = Data(corpus, settings, config.sampling_rate, own.process_index, own.num_processes, pinned)
        self.at, self.best = Progress(), float("inf")
        state = folder.load(None if checkpoint is True else checkpoint) if checkpoint else None
        torch.manual_seed(settings.seed)
        self.engine = self.built(state)
        if state is not None:
            self._go_on(state)

    @abstractmethod
    def built(self, state: Mapping[str, Any] | None) -> E:
        """What is trained, on its device; what would go wrong later is refused.

        Args:
            state: the checkpoint that it goes on from, to look at.
        """

    def own_words(self) -> dict[str, Any]:
        """What ``run.json`` and checkpoints say of this kind of training, ready for ``json.dumps``."""
        return {}

    @property
    def is_main(self) -> bool:
        """Whether this is the first process of those that train together: it writes and tells."""
        return bool(self.accelerator.is_main_process)

    def _go_on(self, state: Mapping[str, Any]) -> None:
        self.engine.load(state)
        own = state.get("torchbend", {})
        self.best = float(own.get("best", self.best))
        self.at = Progress(
            self.engine.step,
            int(own.get("epoch", 0)),
            int(own.get("batch", 0)),
            self.engine.phase,
            seconds=float(own.get("seconds", 0)),
        )

    # -- the loop --------------------------------------------------------------------------------------------

    def run(self, tell: Listener = lambda progress: None) -> Progress:
        """Train to the last step.

        Args:
            tell: is called after every line of the log and at every event, in the first process.

        Returns:
            Where the training is at its end.

        Raises:
            TrainingError: a loss is not finite: the step and its sounds are named, and the last checkpoint
                stays as it was; another process trains this run; or the disk takes no more.
        """
        if not self.is_main:
            self._steps(None, None, tell)
            return self.at
        with self.folder.held():
            self.folder.describe(self.config, self.settings, self._facts())
            records = Records(self.folder.records, self.at.step)
            with Board(self.folder.path, self.at.step) as board:
                self._steps(records, board, tell)
        return self.at

    def _steps(self, records: Records | None, board: Board | None, tell: Listener) -> None:
        at, settings, engine = self.at, self.settings, self.engine
        batches = self.data.from_place(at.epoch, at.batch)
        sums: dict[str, list[Tensor]] = {}
        begun, waited, since, before = time.perf_counter(), 0.0, at.step, at.seconds
        while engine.step < settings.max_steps:
            asked = time.perf_counter()
            at.epoch, at.batch, x = next(batches)
            waited += time.perf_counter() - asked
            if engine.phase != at.phase:
                at.phase = engine.phase
                engine.settle()
                self._event(f"phase {at.phase} begins: {engine.phases[at.phase]}", records, tell)
            for name, value in self._step(x).items():
                sums.setdefault(name, []).append(value)
            at.step, at.batch = engine.step, at.batch + 1
            last = at.step == settings.max_steps
            if at.step % settings.log_every == 0 or last:
                took = time.perf_counter() - begun
                at.step_seconds, at.waited = took / (at.step - since), waited / took
                at.seconds = before = before + took
                at.values = self._means(sums)
                self._log(records, board)
                tell(at)
                sums, waited, since, begun = {}, 0.0, at.step, time.perf_counter()
            if at.step % settings.val_every == 0 or last:
                self._validate(records, board, tell)
            kept = at.step % settings.save_every == 0
            replaced = at.step % settings.checkpoint_every == 0 or last
            if kept or replaced:
                engine.settle()
            if kept:
                self._save(f"step_{at.step}.ckpt")
            if replaced:
                self._save()

    def _means(self, sums: Mapping[str, list[Tensor]]) -> dict[str, float]:
        """The means of losses, over all processes."""
        if not sums:
            return {}
        means = torch.stack([torch.stack(held).mean() for held in sums.values()])
        means = self.accelerator.reduce(means, "mean")
        return dict(zip(sums, means.tolist(), strict=True))

    def _step(self, x: Tensor) -> dict[str, Tensor]:
        at = self.at
        try:
            return self.engine.train(x.to(self.accelerator.device, non_blocking=True), at.batch)
        except TrainingError as error:
            if error.next_step is not None:
                raise  # no sound is to blame
            raise TrainingError(
                error.message,
                site=f"step {at.step}: {self.data.places(at.epoch, at.batch)}",
                got=error.got,
                next_step=f"listen to these sounds; go on from {self.folder.checkpoints} with a smaller "
                "--learning-rate",
            ) from error

    def _log(self, records: Records | None, board: Board | None) -> None:
        at = self.at
        values = {**at.values, **self.engine.scheduled()}
        if records is not None:
            times = {"seconds": round(at.seconds, 3), "step_seconds": at.step_seconds, "waited": at.waited}
            records.add(at.step, {"epoch": at.epoch, "phase": at.phase, **times, **values})
        if board is not None:
            board.numbers(at.step, values)

    def _event(self, words: str, records: Records | None, tell: Listener) -> None:
        if records is not None:
            records.add(self.at.step, {"event": words})
        self.at.event = words
        tell(self.at)
        self.at.event = ""

    # -- validations and checkpoints -------------------------------------------------------------------------

    def _validate(self, records: Records | None, board: Board | None, tell: Listener) -> None:
        """In each process, so that all keep the same statistics; the first one tells."""
        engine, at = self.engine, self.at
        engine.settle()
        torch.manual_seed(self.settings.seed)
        with engine.averaged():
            found = engine.validate(self.data.validation())
        if engine.average is not None:
            engine.describe_plain(self.data.validation())
        if records is None or board is None:
            return
        records.add(at.step, found.values)
        board.numbers(at.step, found.values)
        self._keep_sound(found.heard, board)
        if found.value < self.best:
            self.best = found.value
            self._save(BEST)
        self._event(f"validation: {found.words}", None, tell)

    def _keep_sound(self, heard: Tensor, board: Board) -> None:
        rate = self.config.sampling_rate
        board.sound(self.at.step, self.engine.heard_as, heard, rate)
        self.folder.audio.mkdir(parents=True, exist_ok=True)
        write_audio(self.folder.audio / f"step_{self.at.step}.wav", heard, rate)

    def _save(self, name: str = "last.ckpt") -> None:
        if self.is_main:
            words = {"config": to_dict(self.config), "settings": self.settings.to_dict(), **self.own_words()}
            own = {
                **{name: json.dumps(value) for name, value in words.items()},
                "epoch": self.at.epoch,
                "batch": self.at.batch,
                "seconds": self.at.seconds,
                "best": self.best,
            }
            self.folder.save({**self.engine.state(), "epoch": self.at.epoch, "torchbend": own}, name)

    def _facts(self) -> dict[str, Any]:
        return {
            **self.own_words(),
            "corpus": str(self.corpus.path),
            "excerpts": {"train": len(self.data.train), "held_out": len(self.data.held_out)},
            "parameters": self.engine.parameters,
            "versions": {"torchbend": __version__, "torch": torch.__version__},
            "device": str(self.accelerator.device),
            "processes": self.accelerator.num_processes,
        }
