"""Sound files through a RAVE model, and into files of their own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.corpus.decoding import decode
from torchbend.corpus.files import FoundFile, find_sounds
from torchbend.errors import AudioFileError, CorpusError, ShapeError, TorchbendError
from torchbend.interfaces.rave import BendedRAVE
from torchbend.interfaces.sounds import write_sound

__all__ = ["STREAMED_FROM_S", "Rendered", "Task", "plan", "render", "render_file"]

STREAMED_FROM_S = 60.0
"""Longer sounds go through the model as a stream where nothing else is asked for: memory stays small."""

_BLOCK = 65536

_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")


class Task(NamedTuple):
    """A sound file and the file that is made of it."""

    source: Path
    target: Path


class Rendered(NamedTuple):
    """What became of a task.

    Attributes:
        task: which one.
        seconds: of sound; 0 where it failed.
        streamed: whether it went through the model in blocks.
        error: why nothing was written; None where all went well.
    """

    task: Task
    seconds: float
    streamed: bool = False
    error: TorchbendError | None = None


# -- from files to files ---------------------------------------------------------------------------------


def plan(inputs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> list[Task]:
    """Which files are read, and where each result goes: a WAV file of the same name.

    A folder's sub-folders are kept below ``out``; of several folders each has one of its own there. Files
    that would get one name keep their ending in it (``a.flac.wav``).

    Args:
        inputs: files, and folders that hold sound files at any depth.
        out: the folder of the results.

    Returns:
        The tasks by name, each source once.

    Raises:
        CorpusError: an input is missing, or there is no sound.
        AudioFileError: a result would replace an input, or another result.
    """
    roots = [Path(path) for path in inputs]
    several = sum(root.is_dir() for root in roots) > 1
    goals: dict[Path, Path] = {}
    for root in roots:
        inside = Path(root.resolve().name) if several and root.is_dir() else Path()
        for file in find_sounds([root]):
            if not _is_result(file, Path(out)):
                goals.setdefault(file.path, inside / file.relative)
    if not goals:
        raise CorpusError("there is no sound file", site=", ".join(map(str, roots)) or "no folder")
    return _named(goals, Path(out))


def _is_result(file: FoundFile, out: Path) -> bool:
    """Whether it was made by an earlier call, into a folder inside of the input's."""
    results = out.resolve()
    return results != file.folder.resolve() and results in file.path.resolve().parents


def _named(goals: dict[Path, Path], out: Path) -> list[Task]:
    wanted = [goal.with_suffix("") for goal in goals.values()]
    alike = Counter(wanted)
    sources = {path.resolve() for path in goals}
    tasks, taken = [], set[Path]()
    for (source, goal), bare in zip(goals.items(), wanted, strict=True):
        name = f"{goal.name}.wav" if alike[bare] > 1 else f"{goal.stem}.wav"
        target = out / goal.parent / name
        if target.resolve() in sources:
            raise AudioFileError(
                "the result would replace an input",
                site=str(target),
                next_step="choose another folder for the results: --out",
            )
        if target in taken:
            raise AudioFileError(
                "two inputs would give one result",
                site=str(target),
                got=str(source),
                next_step="give the folder that holds both, or one input after the other",
            )
        taken.add(target)
        tasks.append(Task(source, target))
    return sorted(tasks)


def render_file(model: BendedRAVE, task: Task, *, stream: bool | None = None, seed: int = 0) -> Rendered:
    """Read a sound, send it through the model, write what comes out at the model's sample rate.

    Args:
        model: with or without bends.
        task: what is read, and where the result goes; it appears whole or not at all.
        stream: in blocks, or as a whole; None takes blocks for what is longer than a minute.
        seed: of the model's noise and of random bends: a file's result does not depend on other files.

    Returns:
        How it went; a file that cannot be read or written, or that needs more memory than there is, is told
        there and is no exception.
    """
    in_blocks = bool(stream)
    try:
        sound = torch.from_numpy(decode(task.source, model.sample_rate))
        seconds = sound.shape[-1] / model.sample_rate
        in_blocks = seconds > STREAMED_FROM_S if stream is None else stream
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            made = render(model, sound, stream=in_blocks)
        write_sound(task.target, made, model.sample_rate)
    except TorchbendError as error:
        return Rendered(task, 0.0, error=error)
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        return Rendered(task, 0.0, error=_too_long(task, in_blocks, error))
    return Rendered(task, seconds, in_blocks)


def _lacks_memory(error: Exception) -> bool:
    """Whether this is one of the ways in which NumPy and PyTorch say so; on a CPU, only words tell."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _NO_MEMORY)


def _too_long(task: Task, in_blocks: bool, error: Exception) -> AudioFileError:
    return AudioFileError(
        "there is not enough memory for this sound",
        site=str(task.source),
        got=f"{str(error).splitlines()[0][:200] if str(error) else type(error).__name__}, "
        f"{'block by block' if in_blocks else 'as a whole'}",
        next_step="cut the file into shorter ones, or end other programs"
        if in_blocks
        else "play it in blocks: --stream, or stream=True",
    )


# -- one sound -------------------------------------------------------------------------------------------


def render(model: BendedRAVE, sound: Tensor, *, stream: bool = False) -> Tensor:
    """A sound through the model, aligned with the input.

    A mono model takes each channel as a signal of its own. Of a sound whose channels are no multiple of the
    model's, the mean is taken.

    Args:
        model: with or without bends.
        sound: samples in [-1, 1], at the model's sample rate.
        stream: in blocks, as nn~ plays it; how late the stream is, is taken back.

    Shape:
        ``[C, T]`` to ``[C, T]``; or ``[model.channels, T]`` where C is no multiple of it.

    Raises:
        ShapeError: the sound has another shape.
        NonFiniteError: it holds NaN or infinity.
        TorchbendError: a bend failed.
    """
    if sound.dim() != 2 or not sound.numel():
        raise ShapeError("this is no sound", site="sound", wanted="[channels, T]", got=list(sound.shape))
    if sound.shape[0] % model.channels:
        sound = sound.mean(0, keepdim=True).expand(model.channels, -1)
    rows = sound.reshape(-1, model.channels, sound.shape[-1])
    with torch.no_grad():
        made = _in_blocks(model, rows) if stream else model.forward(rows)
    return made.reshape(sound.shape).cpu()


def _in_blocks(model: BendedRAVE, x: Tensor) -> Tensor:
    """The stream's output without the silence that it begins with: ``[B, C, T]`` to the same."""
    late, length = int(model.delay("forward")), x.shape[-1]
    total = length + late
    x = F.pad(x, (0, late + (-total) % model.ratio))
    block = max(1, _BLOCK // model.ratio) * model.ratio
    with _streaming(model, len(x)):
        made = [model.forward(part) for part in torch.split(x, block, -1)]
    return torch.cat(made, -1)[..., late:total]


@contextmanager
def _streaming(model: BendedRAVE, rows: int) -> Iterator[None]:
    """A fresh stream; afterwards the model is what it was."""
    before = model.rave.stream_state
    model.stream(rows)
    try:
        yield
    finally:
        model.offline()
        if before is not None:
            model.rave.resume(before)
