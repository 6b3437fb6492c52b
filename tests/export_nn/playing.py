"""Streams through exported files and through live models, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import ExportError
from torchbend.export.rave import RavePlan
from torchbend.interfaces.rave import BendedRAVE

FRAMES = (1, 2, 3, 5, 1)
"""Sizes of blocks, in frames of the latents."""


def loaded(path: Any) -> Any:
    """The file, as a host loads it."""
    return torch.jit.load(str(path)).eval()


def as_host(x: Tensor) -> Tensor:
    """The same numbers, not contiguous."""
    wide = torch.zeros(*x.shape[:-1], 2 * x.shape[-1])
    wide[..., 1::2] = x
    return wide[..., 1::2]


def blocks_of(x: Tensor, unit: int, frames: Sequence[int] = FRAMES) -> list[Tensor]:
    """Blocks of so many frames in turn, each of ``unit`` samples."""
    found, place, turn = [], 0, 0
    while place < x.shape[-1]:
        size = min(frames[turn % len(frames)] * unit, x.shape[-1] - place)
        found.append(x[..., place : place + size])
        place, turn = place + size, turn + 1
    return found


def played(module: Any, method: str, x: Tensor, unit: int, frames: Sequence[int] = FRAMES) -> Tensor:
    """What a host hears of a stream."""
    call = getattr(module, method)
    with torch.inference_mode():
        return torch.cat([call(as_host(block)) for block in blocks_of(x, unit, frames)], -1).clone()


def away(wanted: Tensor, got: Tensor) -> float:
    """The largest difference, in standard deviations of what is wanted."""
    assert wanted.shape == got.shape, f"{list(wanted.shape)} is wanted, {list(got.shape)} came"
    assert bool(wanted.isfinite().all()) and float(wanted.std()) > 1e-6, "there is nothing to compare"
    return float((wanted - got).abs().max() / wanted.std())


Calls = dict[str, Callable[[Tensor], Tensor]]


def _plan(bended: BendedRAVE, options: dict[str, Any]) -> RavePlan:
    resampling = bended._resampling(options.get("sample_rate"))
    chosen = {key: value for key, value in options.items() if key in ("latents", "fill", "channels")}
    return RavePlan(bended._engine, bended.rave, resampling=resampling, **chosen)


@contextmanager
def on_stage(bended: BendedRAVE, rows: int, options: dict[str, Any]) -> Iterator[Calls]:
    """The live methods as they are played, in a stream of their own."""
    plan = _plan(bended, options)
    sample = options.get("sample", True)
    with bended._on_stage(rows, plan.signals, plan.resampling, sample), torch.no_grad():
        yield {name: method.call for name, method in plan.methods().items()}


@contextmanager
def off_stage(bended: BendedRAVE, options: dict[str, Any]) -> Iterator[Calls]:
    """The live methods as they are played, for whole signals."""
    plan = _plan(bended, options)
    with bended.rave.encoder.sampling(options.get("sample", True)), torch.no_grad():
        yield {name: method.call for name, method in plan.methods().items()}


Settings = Iterable[tuple[str, float]]


def both(
    exported: Any,
    bended: tb.BendedModule,
    method: str,
    live: Callable[[Tensor], Tensor],
    blocks: Sequence[Tensor],
    settings: dict[int, Settings],
) -> tuple[Tensor, Tensor]:
    """The live and the exported stream, with controls set before some blocks and the same random numbers."""
    wanted, got = [], []
    for number, block in enumerate(blocks):
        for name, value in settings.get(number, ()):
            bended.update(name, value)
            assert getattr(exported, f"set_{name}")(value) == 0
        torch.manual_seed(number)
        wanted.append(live(block).clone())
        torch.manual_seed(number)
        with torch.inference_mode():
            got.append(getattr(exported, method)(as_host(block)).clone())
    return torch.cat(wanted, -1), torch.cat(got, -1)


def refused(bended: Any, path: Any, **options: Any) -> ExportError:
    """The error with which an export is refused; nothing may have been written."""
    try:
        bended.export(path, **options)
    except ExportError as error:
        assert list(path.parent.iterdir()) == []
        return error
    raise AssertionError("it was exported")
