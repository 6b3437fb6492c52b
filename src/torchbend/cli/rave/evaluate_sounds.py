"""The sounds that ``torchbend rave evaluate`` compares with, at the rates of its models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import typer
from torch import Tensor

from torchbend.corpus.decoding import decode
from torchbend.errors import CorpusError, TorchbendError
from torchbend.evaluation.scores import Reference, scorable

__all__ = ["References"]

_PIECE_S = 30.0


class References:
    """Sound files as the models take them, each read once for a sample rate and a number of channels.

    Args:
        files: what is read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._read: dict[tuple[int, int], Reference] = {}
        self._left_out: dict[Path, str] = {}

    def at(self, sample_rate: int, channels: int) -> Reference:
        """The sounds for a model.

        Raises:
            CorpusError: none of them can be compared with.
        """
        key = (sample_rate, channels)
        if key not in self._read:
            sounds = [piece for path in self._files for piece in self._pieces(path, sample_rate, channels)]
            if not sounds:
                told = "; ".join(f"{path}: {reason}" for path, reason in list(self._left_out.items())[:3])
                raise CorpusError("there is no sound to compare with", wanted="a second or more", got=told)
            self._read[key] = Reference(sounds, sample_rate)
        return self._read[key]

    def _pieces(self, path: Path, sample_rate: int, channels: int) -> list[Tensor]:
        try:
            sound = torch.from_numpy(decode(path, sample_rate, channels))
        except TorchbendError as error:
            self._left_out[path] = error.message
            return []
        pieces = torch.split(sound, round(_PIECE_S * sample_rate), dim=-1)
        reasons = [scorable(piece) for piece in pieces]
        if all(reasons):
            self._left_out[path] = str(reasons[0])
        return [piece for piece, reason in zip(pieces, reasons, strict=True) if reason is None]

    def tell_left_out(self) -> None:
        """On stderr: which files could not be compared with, and why."""
        for path, reason in self._left_out.items():
            typer.echo(f"left out {path}: {reason}", err=True)
