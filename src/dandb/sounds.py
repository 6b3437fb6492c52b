"""The sounds of the workshop: a folder of sound files, and those in it as tensors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

import torchbend
from torchbend.bending.sites import closest
from torchbend.corpus.decoding import decode, probe
from torchbend.corpus.durations import Measured, measure
from torchbend.corpus.files import FoundFile, find_sounds
from torchbend.display import Table
from torchbend.display.progress import tracked
from torchbend.errors import AudioFileError, CorpusError

__all__ = ["Sounds", "get_sounds"]

Place = str | os.PathLike[str]

_SHOWN = 60
"""Rows that are shown at a prompt."""


def get_sounds(path: Place | Sequence[Place] | None = None) -> Sounds:
    """The sounds of a folder, or those that come with the package: a violin and a piano, 8 s each.

    Args:
        path: a folder, searched with all folders in it; or a sound file; or several of them.

    Returns:
        What prints as a list of the files and their lengths; ``.load(...)`` gives tensors.

    Raises:
        AudioFileError: there is no such folder, or no sound in it.

    Example:
        >>> sounds = get_sounds()
        >>> sounds.names
        ['piano.wav', 'violin.wav']
        >>> sounds.load("violin.wav", "piano.wav", sr=22050).shape
        torch.Size([2, 1, 176400])
    """
    given = Path(torchbend.__path__[0], "demo_data") if path is None else path
    places = [given] if isinstance(given, str | os.PathLike) else list(given)
    try:
        return Sounds(find_sounds(places))
    except CorpusError as error:
        raise AudioFileError(
            error.message,
            site=error.site,
            wanted=error.wanted,
            next_step="get_sounds() without a folder gives the sounds that come with the package",
        ) from error


class Sounds:
    """Sound files by name; made by `get_sounds`.

    ``sounds["violin.wav"]`` and ``sounds.violin`` are paths, which the tab key completes.

    Args:
        files: that were found, in order.
    """

    def __init__(self, files: Sequence[FoundFile]) -> None:
        names = [file.relative for file in files]
        folders = {file.folder for file in files}
        if len(set(names)) < len(names) and len(folders) > 1:  # two folders hold files of one name
            names = [str(file.path) for file in files]
        self._files = dict(zip(names, files, strict=True))

    @property
    def names(self) -> list[str]:
        """Names of the files: their paths in the folder."""
        return list(self._files)

    def load(
        self,
        *names: Place,
        sr: int | None = None,
        channels: int | None = 1,
        start: float = 0.0,
        seconds: float | None = None,
    ) -> Tensor:
        """Some of the sounds as one tensor; the shorter ones are followed by silence.

        Args:
            names: of the files, with or without ``.wav``; or paths. At least one.
            sr: the sample rate in Hz, as ``model.sample_rate``; by default the one that all files have.
            channels: 1 averages the channels, as most models want it; None: as many as the file with the most
                channels has.
            start: where to begin in each file, in seconds.
            seconds: how much to take of each file; to its end by default.

        Returns:
            Float32 in [-1, 1], shape ``[names, channels, samples]``.

        Raises:
            AudioFileError: there is no such file, it cannot be read, or the files have different rates and
                ``sr`` is not given.
        """
        if not names:
            raise AudioFileError(
                "which sounds?",
                wanted="at least one name: " + ", ".join(map(repr, self.names[:6])),
                next_step="sounds.load(*sounds.names) loads all of them",
            )
        paths = [self._found(name) for name in names]
        if channels is None:
            channels = max(probe(path).channels for path in paths)
        rate = _checked(sr) if sr is not None else self._common_rate(paths)
        loaded = [
            torch.from_numpy(decode(path, rate, channels, start, seconds))
            for path in tracked(paths, "loading sounds")
        ]
        longest = max(sound.shape[-1] for sound in loaded)
        return torch.stack([pad(sound, (0, longest - sound.shape[-1])) for sound in loaded])

    def _common_rate(self, paths: Sequence[Path]) -> int:
        rates = {path: probe(path).sample_rate for path in paths}
        found = sorted(set(rates.values()))
        if len(found) > 1:
            raise AudioFileError(
                "the sounds have different sample rates",
                site="sr",
                wanted="one sample rate for all",
                got=", ".join(f"{path.name}: {rate} Hz" for path, rate in rates.items()),
                next_step=f"sr={found[-1]}, or sr=model.sample_rate",
            )
        return found[0]

    def _found(self, name: Place) -> Path:
        given = os.fspath(name)
        if given in self._files:
            return self._files[given].path
        by_stem = [known for known in self._files if os.path.splitext(known)[0] == given]
        if len(by_stem) == 1:
            return self._files[by_stem[0]].path
        if Path(given).is_file():
            return Path(given)
        like = by_stem or closest(given, self._files) or self.names[:6]
        raise AudioFileError(
            f"there is no sound {given!r}" if not by_stem else f"there are several sounds {given!r}",
            wanted=("one of: " if by_stem or len(self) <= len(like) else "closest names: ") + ", ".join(like),
            next_step="print(sounds) lists them all",
        )

    # -- as a collection of names --------------------------------------------------------------------

    def __getitem__(self, name: str) -> Path:
        return self._found(name)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __getattr__(self, name: str) -> Path:
        files = self.__dict__.get("_files", {})
        for known, file in files.items():
            if _identifier(known) == name:
                found: Path = file.path
                return found
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}, nor a sound of that name"
        )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *filter(str.isidentifier, map(_identifier, self._files))})

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    # -- to look at ----------------------------------------------------------------------------------

    @cached_property
    def _measured(self) -> list[Measured]:
        return measure(list(self._files.values()))

    def table(self) -> Table:
        """One row for each file: its name, its length, and what is wrong with it where it cannot be read."""
        rows = [
            (name, "" if one.trouble else f"{one.seconds:.1f} s", one.trouble)
            for name, one in zip(self._files, self._measured, strict=True)
        ]
        if not any(trouble for _, _, trouble in rows):
            return Table(("sound", "length"), [row[:2] for row in rows])
        return Table(("sound", "length", "trouble"), rows)

    def _title(self) -> str:
        length = sum(one.seconds for one in self._measured)
        return f"{len(self)} sound{'s' * (len(self) != 1)}, {length:.1f} s"

    def __str__(self) -> str:
        return f"{self._title()}\n{self.table().text()}"

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return str(self)
        shown = Table(("sound", "length"), [row[:2] for row in self.table().rows[:_SHOWN]]).text()
        return f"{self._title()}\n{shown}\n... {len(self) - _SHOWN} more: print(sounds) lists all"

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}</p>{self.table().html()}"


def _identifier(name: str) -> str:
    """A file's name as the name of an attribute: ``deep/my voice.wav`` is ``deep_my_voice``."""
    return re.sub(r"\W", "_", os.path.splitext(name)[0])


def _checked(sr: int) -> int:
    rate = int(sr)
    if rate != sr or rate <= 0:
        raise AudioFileError("unknown sample rate", site="sr", wanted="a whole number of Hz above 0", got=sr)
    return rate
