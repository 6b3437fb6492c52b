"""The functional form of a bent method as a ``torch.export`` program, for inputs of any size."""

from __future__ import annotations

import importlib
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from torchbend.bending.engine import Engine
from torchbend.bending.sites import not_traced
from torchbend.errors import ExportError, TorchbendError
from torchbend.export.accessors import check_name
from torchbend.export.bounds import constant_bounds
from torchbend.export.functional import Functional
from torchbend.export.inputs import ExampleInputs

__all__ = ["any_size", "chosen_methods", "exported_program", "free_sizes", "quiet", "refuse_unfit", "resized"]

Sizes = dict[str, dict[int, int]]
"""For each input, the dimensions whose size is free, with the number that the size is a multiple of."""


def chosen_methods(
    engine: Engine, methods: Sequence[str] | str | None, inputs: Mapping[str, Any] | None
) -> dict[str, ExampleInputs]:
    """The methods to export, each with example arguments: as given, or like those that it was traced with.

    Raises:
        NotTracedError: a method was not traced, and no inputs are given for it.
    """
    given = dict(inputs or {})
    names = (methods,) if isinstance(methods, str) else tuple(methods or (*engine.captures, *given))
    found = {}
    for name in dict.fromkeys(names):
        if name in given:
            found[name] = ExampleInputs.given(engine.module, name, given[name], engine.extra_names)
        elif name in engine.captures:
            found[name] = ExampleInputs.remembered(engine.module, engine.captures[name])
        else:
            raise not_traced(name, engine.captures)
    if not found:
        raise not_traced("forward", engine.captures)
    return found


def refuse_unfit(engine: Engine, methods: Mapping[str, ExampleInputs]) -> None:
    """Say no to callbacks and controls that cannot be in a file. Functions of the user's own are tried.

    Raises:
        ExportError: which, and where.
    """
    for bend in engine.bends:
        for callback in bend.callback.family():
            alone = all(c.jit_compatible for c in callback.inner())
            if not callback.jit_compatible and alone and type(callback).__name__ != "Lambda":
                raise ExportError(
                    f"{callback!r} cannot be exported",
                    site=", ".join(bend.keys),
                    wanted="callbacks whose jit_compatible is True",
                    got=type(callback).__name__,
                    next_step="take it away with reset_bending(), or bend with torch operations",
                )
    for control in engine.controls:
        check_name(control, set(methods))
        if control.type is complex:
            raise ExportError(
                "ONNX and torch.export inputs cannot be complex controls",
                site=control.name,
                wanted="a control of type float, int or bool",
                got="complex",
                next_step="use one control for the real part and one for the imaginary part",
            )


def free_sizes(functional: Functional) -> Sizes:
    """The sizes of a method's inputs that the live model takes otherwise too, found by asking it.

    Sizes that are equal in several inputs, at the same place from the end, are varied together.
    """
    inputs, states, controls = functional.arguments()
    tensors = {n: t for n, t in inputs.items() if isinstance(t, Tensor)}
    groups: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for name, tensor in tensors.items():
        for dim, size in enumerate(tensor.shape):
            groups.setdefault((size, dim if dim == 0 else dim - tensor.dim()), []).append((name, dim))
    found: Sizes = {name: {} for name in inputs}
    wanted = [t.dim() for t in functional(inputs, states, controls)[0]]

    def takes(places: list[tuple[str, int]], size: int) -> bool:
        changed = dict(inputs)
        for name, dim in places:
            changed[name] = resized(changed[name], dim, size)
        try:
            result, after = functional(changed, states, controls)
        except (TorchbendError, RuntimeError, ValueError, IndexError, TypeError):
            return False
        same = all(after[n].shape == t.shape for n, t in states.items())
        return same and [t.dim() for t in result] == wanted

    for (size, _), places in groups.items():
        steps = [d for d in range(1, size + 1) if size % d == 0]
        step = next((d for d in steps if takes(places, size + d) and takes(places, 2 * size + d)), None)
        for name, dim in places if step else ():
            found[name][dim] = step or 1
    return found


def resized(tensor: Tensor, dim: int, size: int) -> Tensor:
    """``tensor`` repeated along a dimension, and cut at ``size``."""
    times = math.ceil(size / tensor.shape[dim])
    return torch.cat([tensor] * times, dim).narrow(dim, 0, size)


_UNFIT = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError)
"""What torch.export raises where sizes cannot be as free as they were asked to be."""


def exported_program(functional: Functional) -> tuple[ExportedProgram, Sizes]:
    """The program, and the sizes that are free in it.

    Raises:
        ExportError: the method, or a callback in it, cannot be exported; the message names where.
    """
    free = free_sizes(functional)
    without_batch = {n: {d: m for d, m in dims.items() if d} for n, dims in free.items()}
    attempts = [free] if free == without_batch else [free, without_batch]
    for sizes in attempts[:-1]:
        try:
            return _exported(functional, sizes), sizes
        except TorchbendError as error:
            raise _refusal(functional, error) from error
        except _UNFIT:
            continue  # the batch may have to stay as it is
    try:
        return _exported(functional, attempts[-1]), attempts[-1]
    except Exception as error:  # torch.export raises whatever it meets
        raise _refusal(functional, error) from error


def _exported(functional: Functional, sizes: Sizes) -> ExportedProgram:
    inputs, states, controls = functional.arguments()
    names: dict[tuple[int, int], Any] = {}
    shapes: dict[str, Any] = {}
    for name, value in inputs.items():
        dims: dict[int, Any] = {}
        for dim, multiple in sizes.get(name, {}).items():
            size = value.shape[dim]
            inputs[name] = value = resized(value, dim, 2 * size) if size // multiple < 2 else value
            symbol = names.setdefault(
                (size, dim if dim == 0 else dim - value.dim()), Dim(f"n{len(names)}", min=1)
            )
            dims[dim] = multiple * symbol if multiple > 1 else symbol
        shapes[name] = dims if isinstance(value, Tensor) else None
    given = {"inputs": inputs, "states": states, "controls": controls}
    spec = {"inputs": shapes, "states": dict.fromkeys(states), "controls": dict.fromkeys(controls)}
    with quiet(), any_size(), torch.no_grad():
        made = torch.export.export(functional, (), given, dynamic_shapes=spec, strict=False)
        return constant_bounds(made)


def any_size() -> Any:
    """Within it, torch assumes nothing of a free size: a block of one frame is as good as any."""
    options: Any = importlib.import_module("torch.fx.experimental._config")
    return options.patch(backed_size_oblivious=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the many lines that the exporters write about themselves."""
    loggers = [
        logging.getLogger(name) for name in ("torch", "torch.export", "torch.onnx", "onnxscript", "onnx_ir")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _refusal(functional: Functional, error: Exception) -> ExportError:
    """Why it cannot be exported, with the place in the model."""
    site = getattr(error, "site", None) or functional.method
    on_values = any(
        word in str(error)
        for word in ("data-dependent", "DataDependent", "Could not guard", "_local_scalar_dense")
    )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    where = next(
        (line for line in reversed(lines) if line.startswith("File ") and "torch/" not in line), None
    )
    if on_values:
        message = "Python code decides by the values of tensors, which an exported graph cannot do"
    else:
        message = f"torch.export failed: {lines[0] if lines else type(error).__name__}"
    return ExportError(
        message,
        site=str(site),
        wanted="torch operations only: no Python branch on a tensor, no number read out of one",
        got=where or type(error).__name__,
        next_step="use torch.where instead of if, and self.get(...) as it is in torch operations",
    )
