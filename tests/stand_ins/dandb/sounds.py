"""The sounds of the workshop."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import torchbend
from torchbend.audio import read_audio

__all__ = ["Sounds", "get_sounds"]


class Sounds:
    """A folder of sound files.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, *names: str, sr: int) -> Tensor:
        """The files at a sample rate in Hz, mono, as long as the shortest; shape ``[files, 1, T]``."""
        sounds = [read_audio(self.folder / name, sr, mono=True)[0] for name in names]
        shortest = min(sound.shape[-1] for sound in sounds)
        return torch.stack([sound[:, :shortest] for sound in sounds])

    def __repr__(self) -> str:
        return f"Sounds({sorted(path.name for path in self.folder.glob('*.wav'))})"


def get_sounds(folder: str | Path | None = None) -> Sounds:
    """The sounds of a folder; by default those that come with the package."""
    return Sounds(Path(folder or Path(str(torchbend.__file__)).parent / "demo_data"))
