"""Curves and sounds of a run for TensorBoard, under the names that the original gives them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

__all__ = ["Board"]


class Board:
    """Writes event files, where the package ``tensorboard`` is installed; otherwise nothing.

    Args:
        path: folder of the run.
        step: steps done: events of later ones, of a run that was killed, are hidden.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._writer: Any = None
            return
        self._writer = SummaryWriter(str(path), purge_step=step or None)

    @property
    def works(self) -> bool:
        """Whether anything is written."""
        return self._writer is not None

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def sound(self, step: int, name: str, audio: Tensor, sample_rate: int) -> None:
        """Add what a validation sounds like.

        Args:
            step: steps done.
            name: of the sound.
            audio: shape ``[C, T]``; its first channel is taken.
        """
        if self._writer is not None:
            self._writer.add_audio(name, audio[:1].clamp(-1, 1), step, sample_rate)
            self._writer.flush()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
