"""The folder of a run: what lies in it, and where."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, overload

import torch

from torchbend.corpus.locking import lock, unlock
from torchbend.display.atomic import remove_halves, replacing, write_text
from torchbend.errors import RAVEConfigError, TrainingError
from torchbend.rave.config import RAVEConfig
from torchbend.rave.config_json import from_dict, to_dict
from torchbend.training.settings import RunSettings, TrainSettings
from torchbend.weights_file import BROKEN

__all__ = ["RunFolder"]

LAST, BEST = "last.ckpt", "best.ckpt"

_PATIENCE = 10.0
"""Seconds to wait for the readers of a run that was killed; they end by themselves."""

S = TypeVar("S", bound=RunSettings)


class RunFolder:
    """A run on disk.

    - ``run.json``: configuration, settings, corpus, versions.
    - ``records.jsonl``: losses, validations and events, a line each.
    - ``checkpoints/``: ``last.ckpt``, ``best.ckpt`` and the kept steps; each appears whole or not at all.
    - ``audio/``: what validations sound like; ``events.*``: the same and all curves for TensorBoard.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.records = self.path / "records.jsonl"
        self.audio = self.path / "audio"
        self.checkpoints = self.path / "checkpoints"

    @property
    def name(self) -> str:
        """Of the run."""
        return self.path.absolute().name

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / "run.json").is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it, no other process trains this run.

        Raises:
            TrainingError: another one does, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("ab")
        except OSError as error:
            raise self._unwritten(error) from error
        with file:
            if not lock(file, _PATIENCE):
                raise TrainingError(
                    "another process trains this run",
                    site=str(self.path),
                    next_step="wait until it ends, or end it",
                )
            try:
                yield
            finally:
                with suppress(OSError):  # where the file system knows no locks
                    unlock(file)  # those who read excerpts live on, with this file open

    # -- what the run is -------------------------------------------------------------------------------------

    def describe(self, config: RAVEConfig, settings: RunSettings, more: Mapping[str, Any]) -> None:
        """Write ``run.json``, and remove checkpoints that a killed run has left half written."""
        self._try(lambda: remove_halves(self.checkpoints, ".ckpt"))
        content = {"config": to_dict(config), "settings": settings.to_dict(), **more}
        self._try(lambda: write_text(self.path / "run.json", json.dumps(content, indent=1) + "\n"))

    @overload
    def description(self) -> tuple[RAVEConfig, TrainSettings, dict[str, Any]]: ...

    @overload
    def description(self, kind: type[S]) -> tuple[RAVEConfig, S, dict[str, Any]]: ...

    def description(
        self, kind: type[RunSettings] = TrainSettings
    ) -> tuple[RAVEConfig, RunSettings, dict[str, Any]]:
        """What ``run.json`` says: of a prior's run, the configuration is that of the model that it is for.

        Args:
            kind: of the settings.

        Raises:
            TrainingError: there is no run here, or its description cannot be read.
        """
        try:
            content = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
            config, settings = content.pop("config"), content.pop("settings")
            return from_dict(config), kind.from_dict(settings), content
        except FileNotFoundError as error:
            raise TrainingError("there is no run in this folder", site=str(self.path)) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RAVEConfigError) as error:
            raise TrainingError(
                "the description of this run cannot be read", site=str(self.path / "run.json"), got=str(error)
            ) from error

    # -- checkpoints -----------------------------------------------------------------------------------------

    def save(self, state: Mapping[str, Any], name: str = LAST) -> Path:
        """Write a checkpoint; it appears whole or not at all.

        Raises:
            TrainingError: the disk takes no more.
        """
        target = self.checkpoints / name

        def write() -> None:
            with replacing(target) as temporary, temporary.open("wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())

        self._try(write)
        return target

    def load(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """A checkpoint that `save` wrote. Nothing in it is executed.

        Args:
            path: the file; None takes ``last.ckpt``.

        Raises:
            TrainingError: there is none, or it is damaged.
        """
        file = Path(path) if path is not None else self.checkpoints / LAST
        try:
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except FileNotFoundError as error:
            raise TrainingError("there is no checkpoint to go on from", site=str(file)) from error
        except BROKEN as error:
            raise TrainingError(
                "the checkpoint cannot be read",
                site=str(file),
                got=str(error).splitlines()[0][:200],
                next_step="name another one of the run's checkpoints",
            ) from error
        if not isinstance(content, dict) or "optimizer_states" not in content:
            raise TrainingError("this is no checkpoint of a training", site=str(file))
        return content

    def _try(self, write: Any) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> TrainingError:
        return TrainingError("the run cannot be written", site=str(self.path), got=str(error))
