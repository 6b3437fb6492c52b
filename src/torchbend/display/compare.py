"""Are two results the same, and if not, where and by how much do they differ?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["ComparisonResult", "Difference", "compare_outs", "compare_state_dict_tensors"]

_SHOWN = 20
"""Differences that the text of a result lists; the rest are counted."""


@dataclass(frozen=True)
class Difference:
    """One place where two results differ.

    Args:
        path: where, as it would be typed after the result: ``['z'][0].mean``; empty for the result itself.
        reason: how, in words.
        max_abs: the largest absolute difference of two tensors of one shape, else ``None``.
    """

    path: str
    reason: str
    max_abs: float | None = None

    def __str__(self) -> str:
        return f"{self.path or 'the result'}: {self.reason}"


@dataclass(frozen=True)
class ComparisonResult:
    """True in an ``if`` when nothing differs; its text says where and by how much."""

    differences: tuple[Difference, ...] = ()

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        if not self.differences:
            return "equal"
        lines = [str(difference) for difference in self.differences[:_SHOWN]]
        hidden = len(self.differences) - len(lines)
        return "\n".join([*lines, f"... and {hidden} more"] if hidden else lines)


@dataclass(frozen=True)
class _Rules:
    allow_subclasses: bool
    allow_almost_equal: bool


def compare_outs(
    a: object, b: object, allow_subclasses: bool = False, allow_almost_equal: bool = False
) -> ComparisonResult:
    """Compare two results: tensors, arrays, numbers, distributions, and nests of them.

    Nests are mappings, lists, tuples, sets, dataclasses and plain objects. Values that are not a number
    (nan) at the same place are equal.

    Args:
        a: the first result.
        b: the second one.
        allow_subclasses: let a type equal its subclass (a parameter and a tensor, a dict and an OrderedDict).
        allow_almost_equal: let tensors and numbers differ as ``torch.allclose`` does (relative 1e-5,
            absolute 1e-8), shape and type alike.

    Returns:
        The result, true if equal.

    >>> result = compare_outs({"z": torch.zeros(2)}, {"z": torch.tensor([0.0, 0.5])})
    >>> bool(result)
    False
    >>> print(result)
    ['z']: 1 of 2 elements differ, by at most 0.5 (at [1])
    """
    rules = _Rules(allow_subclasses, allow_almost_equal)
    return ComparisonResult(tuple(_differences(a, b, "", rules, frozenset())))


def compare_state_dict_tensors(d1: Mapping[str, Tensor], d2: Mapping[str, Tensor]) -> ComparisonResult:
    """Compare the names and the tensors of two state dicts, whatever the order of names.

    Args:
        d1: the first state dict.
        d2: the second one; a parameter equals a tensor of the same values.

    Returns:
        The result, true if every name is in both and all tensors are equal bit for bit.
    """
    return compare_outs(dict(d1), dict(d2), allow_subclasses=True)


def _differences(
    a: object, b: object, path: str, rules: _Rules, seen: frozenset[int]
) -> Iterator[Difference]:
    if id(a) in seen:
        return
    if not _types_fit(a, b, rules):
        yield Difference(path, f"{type(a).__name__} against {type(b).__name__}")
        return
    seen = seen | {id(a)}
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        yield from _tensor_differences(a, b, path, rules)
    elif isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        yield from _array_differences(a, b, path, rules)
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        yield from _mapping_differences(a, b, path, rules, seen, "[{!r}]")
    elif isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str | bytes):
        if len(a) != len(b):
            yield Difference(path, f"length {len(a)} against {len(b)}")
        for index, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _differences(x, y, f"{path}[{index}]", rules, seen)
    elif isinstance(a, Set) and isinstance(b, Set):
        if a != b:
            yield Difference(path, f"{len(a ^ b)} elements are in one set only")
    else:
        parts_a, parts_b = _parts(a), _parts(b)
        if parts_a is not None and parts_b is not None:
            yield from _mapping_differences(parts_a, parts_b, path, rules, seen, ".{}")
        else:
            yield from _value_differences(a, b, path, rules)


def _types_fit(a: object, b: object, rules: _Rules) -> bool:
    if type(a) is type(b):
        return True
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    return rules.allow_subclasses and (isinstance(a, type(b)) or isinstance(b, type(a)))


def _mapping_differences(
    a: Mapping[object, object],
    b: Mapping[object, object],
    path: str,
    rules: _Rules,
    seen: frozenset[int],
    step: str,
) -> Iterator[Difference]:
    for key in a:
        here = path + step.format(key)
        if key in b:
            yield from _differences(a[key], b[key], here, rules, seen)
        else:
            yield Difference(here, "only in the first")
    for key in b:
        if key not in a:
            yield Difference(path + step.format(key), "only in the second")


def _parts(value: object) -> dict[object, object] | None:
    """The named parts of a dataclass, a distribution or a plain object; None for a simple value."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Distribution):
        return {name: getattr(value, name) for name in value.arg_constraints if name in vars(value)}
    if type(value).__eq__ is object.__eq__ and hasattr(value, "__dict__") and not callable(value):
        return {name: part for name, part in vars(value).items()}  # noqa: C416
    return None


def _value_differences(a: object, b: object, path: str, rules: _Rules) -> Iterator[Difference]:
    if a is b:
        return
    if isinstance(a, int | float | complex) and isinstance(b, int | float | complex):
        both_nan = a != a and b != b
        close = rules.allow_almost_equal and abs(a - b) <= 1e-8 + 1e-5 * abs(b)
        if a != b and not both_nan and not close:
            yield Difference(path, f"{a!r} against {b!r}", abs(a - b))
    elif a != b:
        yield Difference(path, f"{a!r} against {b!r}")


def _array_differences(a: NDArray[Any], b: NDArray[Any], path: str, rules: _Rules) -> Iterator[Difference]:
    if a.dtype.kind in "biufc" and b.dtype.kind in "biufc":
        yield from _tensor_differences(torch.from_numpy(a.copy()), torch.from_numpy(b.copy()), path, rules)
    elif not np.array_equal(a, b):
        yield Difference(path, "the arrays differ")


def _tensor_differences(a: Tensor, b: Tensor, path: str, rules: _Rules) -> Iterator[Difference]:
    if a.shape != b.shape:
        yield Difference(path, f"shape {list(a.shape)} against {list(b.shape)}")
        return
    if a.dtype != b.dtype:
        yield Difference(path, f"type {a.dtype} against {b.dtype}")
        return
    if a.is_meta or b.is_meta:
        if a.is_meta != b.is_meta:
            yield Difference(path, f"device {a.device} against {b.device}")
        return
    a, b = a.detach(), b.detach().to(a.device)
    different = (a != b) & ~((a != a) & (b != b))
    if rules.allow_almost_equal:
        different &= ~torch.isclose(a, b, equal_nan=True)
    count = int(different.sum())
    if count == 0:
        return
    wide = torch.complex128 if a.is_complex() else torch.float64
    distance = (a.to(wide) - b.to(wide)).abs().where(different, 0.0)
    finite = bool(distance.isfinite().all())
    worst = int(distance.nan_to_num(nan=torch.inf).argmax())
    at = [int(i) for i in np.unravel_index(worst, tuple(a.shape))]
    largest = float(distance.flatten()[worst])
    words = f"by at most {largest:g}" if finite else f"{a[tuple(at)].item()} against {b[tuple(at)].item()}"
    yield Difference(path, f"{count} of {a.numel()} elements differ, {words} (at {at})", largest)
