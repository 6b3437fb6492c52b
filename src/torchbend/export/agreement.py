"""Compare what was exported with the live model: other block lengths and controls, in one stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.parameter import BendingParameter, State, frozen
from torchbend.capture.structure import walk
from torchbend.errors import ExportError, TorchbendError
from torchbend.export.accessors import control_tensor
from torchbend.export.functional import Functional
from torchbend.export.program import Sizes, resized
from torchbend.export.verify import other_values

__all__ = ["Runner", "agree", "difference"]

Runner = Callable[
    [dict[str, Any], dict[str, Tensor], dict[str, Tensor]], tuple[list[Tensor], dict[str, Tensor]]
]
"""Runs what was exported: inputs, states, controls by name; gives the result's tensors and new states."""

_TOLERANCE = 1e-4
_BLOCKS = (2, 1, 3)


def difference(wanted: Tensor, got: Tensor) -> float:
    """The largest difference in standard deviations of what is wanted; infinite where the shapes differ."""
    if wanted.shape != got.shape or wanted.isfinite().ne(got.isfinite()).any():
        return float("inf")
    if not wanted.numel():
        return 0.0
    a, b = wanted.nan_to_num().double(), got.nan_to_num().double()
    spread = max(float(a.std()) if a.numel() > 1 else float(a.abs().max()), float(a.abs().mean()))
    return float((a - b).abs().max()) / max(spread, 1e-12)


def agree(functional: Functional, sizes: Sizes, run: Runner) -> float:
    """Play a stream through both, with each control at other values on the way.

    Outputs that are random are compared by shape only.

    Returns:
        The largest difference, in standard deviations.

    Raises:
        ExportError: they differ, or what was exported does not run.
    """
    inputs, states, _ = functional.arguments()
    live = _Live(functional)
    values: dict[BendingParameter, Any] = {c: c.value for c in functional.controls}
    worst = 0.0
    for number, (moved, value) in enumerate(_steps(functional)):
        if moved is not None:
            values[moved] = value
        given = _block(inputs, sizes, _BLOCKS[number % len(_BLOCKS)])
        try:
            wanted, after, fixed = live.call(given, values)
        except (TorchbendError, RuntimeError, ValueError, IndexError):
            continue  # no input for this model: the live one refuses it too
        controls = {c.name: _as(c, v) for c, v in values.items()}
        try:
            result, states = run(given, states, controls)
        except Exception as error:
            raise _differs(functional, moved, f"what was exported does not run: {error}") from error
        pairs = [*zip(wanted, result, strict=False), *((t, states[n]) for n, t in after.items())]
        for (want, got), judged in zip(pairs, fixed, strict=True):
            if want.shape != got.shape:
                raise _differs(functional, moved, f"shape {list(got.shape)} instead of {list(want.shape)}")
            worst = max(worst, difference(want, got) if judged else 0.0)
        if not worst <= _TOLERANCE:
            raise _differs(functional, moved, f"a difference of {worst:.1g} standard deviations")
        states = dict(after)
    return worst


def _as(control: BendingParameter, value: Any) -> Tensor:
    return torch.tensor(value, dtype=control_tensor(control).dtype)


def _steps(functional: Functional) -> Iterator[tuple[BendingParameter | None, Any]]:
    yield from ((None, None) for _ in _BLOCKS)
    for control in functional.controls:
        for value in other_values(control):
            yield control, value
        yield control, control.value


def _block(inputs: Mapping[str, Any], sizes: Sizes, count: int) -> dict[str, Any]:
    """Inputs of ``count`` times the smallest size where sizes are free, loud in another way each time."""
    made = dict(inputs)
    for name, dims in sizes.items():
        for dim, multiple in dims.items():
            made[name] = resized(made[name], dim, count * multiple)
        if isinstance(made[name], Tensor) and made[name].is_floating_point():
            made[name] = made[name] * (1.5 - 0.5 * count)
            made[name] = made[name] if count != 3 else inputs_flipped(made[name], inputs[name])
    return made


def inputs_flipped(zeros: Tensor, like: Tensor) -> Tensor:
    """Noise of the shape of ``zeros``."""
    generator = torch.Generator().manual_seed(zeros.numel())
    noise = torch.rand(zeros.shape, generator=generator) * 2 - 1
    return noise.to(like)


class _Live:
    """The live model, played from the states that the functional form begins with."""

    def __init__(self, functional: Functional) -> None:
        self.functional, self.revision = functional, -10
        functional.write(functional.states)

    def call(
        self, inputs: Mapping[str, Any], values: Mapping[BendingParameter, Any]
    ) -> tuple[list[Tensor], dict[str, Tensor], list[bool]]:
        """Results, states, and for each of these tensors whether it is the same with another random state."""
        functional = self.functional
        before = functional.read()
        first, after = self._once(inputs, values, 0)
        functional.write(before)
        again, _ = self._once(inputs, values, 1)
        functional.write(before)
        second, finally_ = self._once(inputs, values, 2)
        functional.write(after)
        fixed = [
            torch.equal(a, b) and torch.equal(b, c) for a, b, c in zip(first, again, second, strict=True)
        ]
        fixed += [torch.equal(t, finally_[n]) for n, t in after.items()]
        return first, after, fixed

    def _once(
        self, inputs: Mapping[str, Any], values: Mapping[BendingParameter, Any], seed: int
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        functional = self.functional
        self.revision -= 1
        given: dict[BendingParameter, State] = {c: (self.revision, v) for c, v in values.items()}
        torch.manual_seed(seed)
        with frozen(given):
            result = functional.live(inputs)
        return [t.clone() for _, t in walk(result)], functional.read()


def _differs(functional: Functional, control: BendingParameter | None, found: str) -> ExportError:
    bends = functional.engine.bends
    suspects = [b for b in bends if control is None or control in b.callback.controls()]
    sites = [key for bend in suspects for key in bend.keys] if control is not None else []
    if control is not None:
        message = f"the control {control.name!r} does not act in what was exported as it does live"
    else:
        message = f"the exported {functional.method}() goes another way than the live one for some inputs"
    return ExportError(
        message,
        site=", ".join(sites) or functional.method,
        wanted="torch operations only: no Python branch on a tensor, no number read out of one",
        got=found,
        next_step="use torch.where instead of if, and self.get(...) as it is in torch operations",
    )
