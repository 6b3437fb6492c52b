"""The TorchScript source of ``get_<name>`` and ``set_<name>``, compiled into an exported module."""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from torchbend.bending.parameter import BendingParameter
from torchbend.errors import ExportError

__all__ = ["accessors", "control_tensor", "check_name", "refresh_method"]

_DTYPES = {float: torch.float32, int: torch.int64, bool: torch.bool, complex: torch.complex64}
_READERS = {
    "complex": "complex(float(torch.real({0})), float(torch.imag({0})))",
    "bool": "bool({0})",
    "int": "int({0})",
    "float": "float({0})",
}


def control_tensor(control: BendingParameter) -> Tensor:
    """The buffer of a control: a tensor without dimensions that holds its present value."""
    return torch.tensor(control.value, dtype=_DTYPES[control.type])


def check_name(control: BendingParameter, taken: Collection[str]) -> None:
    """Refuse a control that no method can be named after.

    Raises:
        ExportError: the name is not an identifier, or a method of that name exists.
    """
    name = control.name
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise ExportError(
            "an exported control has to be an identifier: its methods are called get_<name> and set_<name>",
            site=name,
            wanted="letters, digits and underscores, the first one no digit",
            got=repr(name),
            next_step="make the BendingParameter with another name",
        )
    clash = {f"get_{name}", f"set_{name}"} & set(taken)
    if clash:
        raise ExportError(
            "a control and a method of the model would share a name",
            site=name,
            got=", ".join(sorted(clash)),
            next_step="make the BendingParameter with another name",
        )


def refresh_method(control: BendingParameter) -> str:
    """Name of the traced method that computes the weights which depend on a control."""
    return f"_weights_of_{control.name}"


def accessors(control: BendingParameter, weights: Sequence[str], for_host: bool = False) -> str:
    """The source of a control's two methods.

    Args:
        control: the control.
        weights: where in the exported module the weights are that depend on it, as ``"bent.w0"``, in the
            order in which `refresh_method` returns them.
        for_host: as nn~ wants it: the value comes in a tuple, and a refusal is an answer other than 0.
    """
    kind, held = control.type.__name__, f"self.controls.{control.name}"
    reader = _READERS[kind].format(held)
    lines = [
        f"def get_{control.name}(self) -> {f'Tuple[{kind}]' if for_host else kind}:",
        f"    return {f'({reader},)' if for_host else reader}",
        f"def set_{control.name}(self, value: {kind}) -> int:",
        *_range_check(control, for_host),
        f"    {held}.copy_(torch.tensor(value))",
    ]
    if weights:
        lines.append(f"    fresh = self.{refresh_method(control)}()")
        lines += [f"    self.{at}.copy_(fresh[{k}])" for k, at in enumerate(weights)]
    return "\n".join([*lines, "    return 0", ""])


def _range_check(control: BendingParameter, for_host: bool) -> list[str]:
    low, high = control.range
    if control.type not in (int, float) or (low is None and high is None and control.type is int):
        return []
    lowest, highest = _bound(low, -math.inf, control.type), _bound(high, math.inf, control.type)
    tests = [f"value >= {lowest}"] * (low is not None) + [f"value <= {highest}"] * (high is not None)
    tests = tests or ["value == value"]
    message = f"the control '{control.name}' takes a value in ({low}, {high}), not "
    answer = "return 1" if for_host else f'raise ValueError("{message}" + str(value))'
    refusal = f"    if not ({' and '.join(tests)}):\n        {answer}"
    if not control.clamp:
        return [refusal]
    clamped = [f"    if value < {lowest}:\n        value = {lowest}"] * (low is not None)
    clamped += [f"    if value > {highest}:\n        value = {highest}"] * (high is not None)
    return [*clamped, refusal]  # what is still outside then is no number


def _bound(value: float | None, default: float, kind: type) -> str:
    number = default if value is None else value
    if math.isinf(number):
        return 'float("inf")' if number > 0 else '-float("inf")'
    return repr(kind(number))
