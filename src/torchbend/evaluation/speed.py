"""How fast a model is on one core: of whole sounds, and block by block."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from torchbend.rave import RAVE

__all__ = ["Speed", "real_time_factors"]

_BLOCK = 2048


@dataclass(frozen=True)
class Speed:
    """Real-time factors: seconds of sound for each second of work, on one thread.

    Attributes:
        whole: of a sound as a whole.
        blocks: of a stream, from the median block.
        block: samples in each block.
        block_ms: the median time of a block.
        slowest_ms: of nine blocks in ten, the slowest: what a host has to wait for.
    """

    whole: float
    blocks: float
    block: int
    block_ms: float
    slowest_ms: float


@torch.no_grad()
def real_time_factors(model: RAVE, seconds: float = 4.0, repeats: int = 3, blocks: int = 40) -> Speed:
    """Time a model's ``forward``, encoding and decoding, after a warm-up.

    The machine should have nothing else to do. The model is as fast as it is in Python; exported, its stream
    is somewhat faster.

    Args:
        model: its stream, where it has one, goes on afterwards.
        seconds: length of the whole sound.
        repeats: how often it is timed; the fastest counts.
        blocks: of the stream that are timed, 1 or more.
    """
    rate, ratio = model.sample_rate, model.ratio
    whole = torch.randn(1, model.channels, max(1, round(seconds * rate / ratio)) * ratio) * 0.1
    whole = whole.to(model.latent_mean)
    block = -(-_BLOCK // ratio) * ratio
    stream = whole.new_zeros(1, model.channels, block).uniform_(-0.1, 0.1)
    with _alone(model):
        model.offline()
        offline = min(_timed(model, whole) for _ in range(repeats))
        model.stream()
        for _ in range(5):
            model(stream)
        each = sorted(_timed(model, stream) for _ in range(blocks))
    median = statistics.median(each)
    return Speed(
        whole=whole.shape[-1] / rate / offline,
        blocks=block / rate / median,
        block=block,
        block_ms=1000 * median,
        slowest_ms=1000 * each[min(len(each) - 1, int(0.9 * len(each)))],
    )


def _timed(work: Callable[[Tensor], Tensor], x: Tensor) -> float:
    begun = time.perf_counter()
    work(x)
    return time.perf_counter() - begun


@contextmanager
def _alone(model: RAVE) -> Iterator[None]:
    """One thread and evaluation mode; afterwards all is what it was."""
    threads, training, before = torch.get_num_threads(), model.training, model.stream_state
    torch.set_num_threads(1)
    model.eval()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        model.train(training)
        model.offline()
        if before is not None:
            model.resume(before)
