"""What a host has to know of an exported method, as plain data."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.export.functional import Functional
from torchbend.export.program import Sizes
from torchbend.version import __version__

__all__ = ["KEY", "describe", "file_for", "input_name", "output_names"]

KEY = "torchbend"
"""Under which a file keeps the description, as JSON."""

_METHODS = ("encode", "decode", "forward")


def describe(
    functional: Functional,
    sizes: Sizes,
    inputs: Sequence[str],
    outputs: Sequence[Tensor],
    turned: Collection[str] = (),
) -> dict[str, Any]:
    """The description of a method.

    A shape is a list of sizes. ``"n"`` stands for a free one, ``"2048*n"`` for one that is a multiple of
    2048. States begin with zeros, or with what ``initial`` holds: the bytes of the tensor, little-endian, in
    base64.

    Args:
        functional: the method.
        sizes: the free ones.
        inputs: names of the input tensors, in order.
        outputs: example results.
        turned: names of the states that the file holds with time before channels.
    """
    model = functional.engine.module
    given, states, _ = functional.arguments()
    tensors = [t for value in given.values() for t in ([value] if isinstance(value, Tensor) else [])]
    shapes = [_shape(t, sizes.get(name, {})) for name, t in zip(given, tensors, strict=False)]
    return {
        "format": 1,
        "method": functional.method,
        "model": type(model).__name__,
        "inputs": [_entry(n, t, shape) for n, t, shape in zip(inputs, tensors, shapes, strict=False)],
        "outputs": [
            {"name": n, "dtype": _dtype(t), "dims": t.dim()}
            for n, t in zip(output_names(len(outputs)), outputs, strict=True)
        ],
        "states": [_state(n, t.transpose(1, 2) if n in turned else t) for n, t in states.items()],
        "controls": [
            {
                "name": c.name,
                "type": c.type.__name__,
                "value": c.value,
                "range": list(c.range),
                "clamp": c.clamp,
            }
            for c in functional.controls
        ],
        "sample_rate": _number(getattr(model, "sample_rate", None)),
        "delay": _delay(functional),
        "ratio": _number(getattr(model, "ratio", None)),
        "versions": {"torch": torch.__version__, "torchbend": __version__},
    }


def output_names(count: int) -> list[str]:
    """``output``, or ``output_0``, ``output_1``, ... where there are several."""
    return ["output"] if count == 1 else [f"output_{k}" for k in range(count)]


def _entry(name: str, tensor: Tensor, shape: list[Any]) -> dict[str, Any]:
    return {"name": name, "dtype": _dtype(tensor), "shape": shape}


def _state(name: str, tensor: Tensor) -> dict[str, Any]:
    entry = {**_entry(f"state.{name}", tensor, list(tensor.shape)), "output": f"next.{name}"}
    if bool((tensor != 0).any()):
        raw = tensor.detach().cpu().contiguous().numpy().tobytes()
        entry["initial"] = base64.b64encode(raw).decode()
    return entry


def _shape(tensor: Tensor, free: dict[int, int]) -> list[Any]:
    sizes: list[Any] = list(tensor.shape)
    for dim, multiple in free.items():
        sizes[dim] = "n" if multiple == 1 else f"{multiple}*n"
    return sizes


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _delay(functional: Functional) -> float | None:
    """Samples that a stream is late, where the model tells."""
    model, method = functional.engine.module, functional.method
    if method not in _METHODS or not getattr(model, "is_streaming", False):
        return None
    delay = getattr(model, "delay", None)
    return float(delay(method)) if callable(delay) else None


def input_name(name: str, place: tuple[int | str, ...]) -> str:
    """Of a tensor at a place inside of an argument."""
    return "_".join((name, *map(str, place)))


def file_for(path: Path, method: str, count: int, suffix: str) -> Path:
    """The file of one method out of ``count``."""
    return path if count == 1 else path.with_suffix(f".{method}{path.suffix or suffix}")
