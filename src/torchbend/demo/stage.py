"""An instrument on stage: exported, bent, and checked as Max and Pure Data would play it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from torchbend.bending.parameter import BendingParameter
from torchbend.demo.instrument import Instrument, StagePlan
from torchbend.errors import ExportError
from torchbend.export.check import Report, Timing, check
from torchbend.interfaces.rave import BendedRAVE

__all__ = ["Staged", "go_on_stage", "stage_path"]

_BLOCK = 2048
_BLOCKS = 12
"""Of sound that the file and the live model both play."""


@dataclass(frozen=True)
class Staged:
    """An exported file and what its check found.

    Attributes:
        path: of the file.
        beside: the files that were written with it.
        controls: live in the file: name, value, lowest, highest.
        report: of the check, in a process of its own.
    """

    path: Path
    beside: tuple[Path, ...]
    controls: tuple[tuple[str, float, float, float], ...]
    report: Report

    @property
    def real_time(self) -> float:
        """Of ``forward``: the time that a block takes over the time that it lasts; 0.1 is 10 × as fast."""
        return next(iter(self._timing.real_time.values()))

    @property
    def core_share(self) -> float:
        """Of ``forward``: processor time over the time that a block lasts; other programs do not count."""
        return next(iter(self._timing.cpu.values())) / 100

    @property
    def _timing(self) -> Timing:
        return next(t for t in self.report.timings if t.method == "forward")

    @property
    def difference(self) -> float:
        """The largest difference between the file's ``forward`` and the live model's."""
        return self.report.differences["forward"]


def stage_path(instrument: Instrument) -> str:
    """Where the exported file goes, seen from the folder of the page."""
    return f"stage/{instrument.slug}.ts"


def go_on_stage(
    instrument: Instrument, plan: StagePlan, out: Path, tell: Callable[[str], None] = lambda name: None
) -> Staged:
    """Exports an instrument with some of its bends, and checks the file.

    Args:
        instrument: a RAVE model; it is not bent before and after.
        plan: what is bent.
        out: the folder of the page.
        tell: is told of both steps.

    Raises:
        ExportError: the model is no RAVE model, cannot be exported, or the file fails its check.
    """
    rave, path = instrument.bended, out / stage_path(instrument)
    if not isinstance(rave, BendedRAVE):
        raise ExportError("only RAVE models go on stage here", site=instrument.title)
    sound = next(iter(instrument.phrases.values()))[..., : _BLOCKS * _BLOCK]
    blocks = list(torch.split(sound, _BLOCK, -1))
    with ExitStack() as bent, torch.no_grad():
        for bend in plan.bends:
            bent.enter_context(rave.bend(bend.recipe))
        tell(f"{path.name}, exported")
        path.parent.mkdir(parents=True, exist_ok=True)
        rave.export(path, latents=plan.latents, fill="zeros", sample=False, batch=1)
        live = _streamed(rave, blocks)
    tell(f"{path.name}, checked in a process of its own")
    report = check(path, rates=(rave.sample_rate,), blocks=(_BLOCK,), compare={"forward": (blocks, live)})
    if not report.ok:
        raise ExportError("the exported file is not ready for the stage", site=str(path), got=str(report))
    return Staged(path, _beside(path), _controls(plan), report)


def _streamed(rave: BendedRAVE, blocks: list[Tensor]) -> list[Tensor]:
    """What the live model gives for the same blocks."""
    rave.stream(1)
    try:
        return [rave.forward(block) for block in blocks]
    finally:
        rave.offline()


def _beside(path: Path) -> tuple[Path, ...]:
    same = re.compile(rf"{re.escape(path.stem)}\.(json|maxpat|pd)")
    return tuple(other for other in sorted(path.parent.iterdir()) if same.fullmatch(other.name))


def _controls(plan: StagePlan) -> tuple[tuple[str, float, float, float], ...]:
    found: dict[str, BendingParameter] = {}
    for bend in plan.bends:
        for callback in bend.recipe.callbacks:
            found |= {control.name: control for control in callback.controls()}
    return tuple(
        (name, float(control.value), _end(control.range[0]), _end(control.range[1]))
        for name, control in found.items()
    )


def _end(end: float | None) -> float:
    """An end of a range; infinity where there is none."""
    return math.inf if end is None else float(end)
