"""Compare an exported module with the live model that it was made of."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.bends import AppliedBend
from torchbend.bending.parameter import BendingParameter, frozen
from torchbend.capture.structure import walk
from torchbend.errors import ExportError, TorchbendError
from torchbend.export.inputs import ExampleInputs
from torchbend.export.shell import Bench

__all__ = ["verify", "other_values"]

_TOLERANCE = 1e-4


def verify(bench: Bench, exported: Any, told: Sequence[warnings.WarningMessage]) -> None:
    """Run both with the example inputs, with others, and with each control at other values.

    Args:
        bench: the live model.
        exported: what was made of it; its state is not the same afterwards.
        told: what the tracer warned of.

    Raises:
        ExportError: they differ, or a control has no effect in the exported module.
    """
    for name, example in bench.methods.items():
        for factor in (1, -2):
            _compare(bench, exported, name, _scaled(example, factor), told)
    for control in bench.controls:
        setter = getattr(exported, f"set_{control.name}")
        for value in other_values(control):
            setter(value)
            for name, example in bench.methods.items():
                with frozen({control: (-1 - hash(value) % 1000003, value)}):
                    _compare(bench, exported, name, example.values, told, control)
        setter(control.value)


def other_values(control: BendingParameter) -> list[Any]:
    """Values of a control that differ from its present one: the ends of its range, or some steps away."""
    value, (low, high) = control.value, control.range
    if control.type is bool:
        return [not value]
    if control.type is complex:
        return [value * 2 + 1j]
    ends = [control.type(e) for e in (low, high) if e is not None and abs(e) < 1e6]
    steps = [control.type(value + s) for s in (1, -1)] if len(ends) < 2 else []
    inside = [s for s in steps if (low is None or s >= low) and (high is None or s <= high)]
    return [v for v in dict.fromkeys((*ends, *inside)) if v != value][:2]


def _scaled(example: ExampleInputs, factor: int) -> tuple[Any, ...]:
    def scaled(value: Any) -> Any:
        return value * factor if isinstance(value, Tensor) and value.dtype.is_floating_point else value

    return tuple(scaled(v) for v in example.values)


def _compare(
    bench: Bench,
    exported: nn.Module,
    name: str,
    values: tuple[Any, ...],
    told: Sequence[warnings.WarningMessage],
    control: BendingParameter | None = None,
) -> None:
    args, kwargs = bench.methods[name].filled(values)

    def live() -> list[Tensor]:
        torch.manual_seed(0)
        return [t.clone() for _, t in walk(bench.run(name, args, kwargs))]

    try:
        wanted = live()
    except (TorchbendError, RuntimeError, ValueError, IndexError):
        return  # no input for this model: the live one refuses it too
    torch.manual_seed(0)
    got = [t for _, t in walk(getattr(exported, name)(*values))]
    if not _close(wanted, got) and _close(wanted, live()):  # a model that never repeats itself is not judged
        raise _differs(bench, name, told, control)


def _close(a: Iterable[Tensor], b: Iterable[Tensor]) -> bool:
    return all(_same(wanted, got) for wanted, got in zip(a, b, strict=False))


def _same(wanted: Tensor, got: Tensor) -> bool:
    """Whether two results agree, measured by the largest value: quiet outputs are compared as strictly."""
    if wanted.shape != got.shape:
        return False
    got = got.to(wanted.dtype)
    if not (wanted.is_floating_point() or wanted.is_complex()):
        return torch.equal(wanted, got)
    finite = wanted[wanted.isfinite()].abs()
    loudest = float(finite.max()) if finite.numel() else 0.0
    return torch.allclose(wanted, got, _TOLERANCE, _TOLERANCE * loudest, equal_nan=True)


def _differs(
    bench: Bench, name: str, told: Sequence[warnings.WarningMessage], control: BendingParameter | None
) -> ExportError:
    bends = bench.engine.bends
    if control is not None:
        suspects = [b for b in bends if control in b.callback.controls()]
        message = f"the control {control.name!r} does not act in the exported module as it does live"
    else:
        suspects = [b for b in bends if _warned(b, told)]
        message = f"the exported {name}() goes another way than the live one for some inputs"
    sites = [key for bend in suspects for key in bend.keys]
    return ExportError(
        message,
        site=", ".join(sites) or name,
        wanted="torch operations only: no Python branch on a tensor, no number read out of one",
        got=", ".join(dict.fromkeys(repr(b.callback) for b in suspects)) or f"code of {name}()",
        next_step="use torch.where instead of if, and self.get(...) as it is in torch operations",
    )


def _warned(bend: AppliedBend, told: Sequence[warnings.WarningMessage]) -> bool:
    """Whether the tracer warned of a line in the code of the bend's callbacks."""
    for callback in bend.callback.family():
        try:
            file = inspect.getsourcefile(type(callback))
            lines, first = inspect.getsourcelines(type(callback))
        except (OSError, TypeError):
            continue
        if any(w.filename == file and first <= w.lineno < first + len(lines) for w in told):
            return True
    return False
