"""What can be given as inputs of a method: one or many, by position or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from torchbend.errors import CaptureError

__all__ = ["as_arguments", "as_inputs"]


def as_inputs(inputs: Any, named: Mapping[str, Any]) -> Iterable[Any]:
    """The inputs one by one.

    Args:
        inputs: one input (a tensor, or a dict of arguments), or an iterable of inputs; None where the
            arguments of one input are given by name.
        named: arguments by name: of the one input, or of every input.

    Raises:
        CaptureError: nothing was given, or something that is no input.
    """
    if inputs is None:
        if not named:
            raise CaptureError(
                "activations have no values without an input",
                wanted="inputs=[x, ...] or the method's arguments by name (x=x)",
                next_step="give inputs; for weights alone use a pattern that selects only weights",
            )
        return [{}]
    if isinstance(inputs, (Tensor, Mapping)):
        return [inputs]
    if isinstance(inputs, Iterable) and not isinstance(inputs, (str, bytes)):
        return inputs
    raise CaptureError(
        "these are no inputs",
        wanted="a tensor, a dict of arguments, or a list of these; a tuple in the list for several arguments",
        got=type(inputs).__name__,
    )


def as_arguments(item: Any, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One input as positional arguments and arguments by name.

    >>> as_arguments((1, 2), {"k": 3}), as_arguments({"x": 1}, {})
    (((1, 2), {'k': 3}), ((), {'x': 1}))
    """
    if isinstance(item, Mapping):
        return (), {**named, **item}
    if isinstance(item, (tuple, list)):
        return tuple(item), dict(named)
    return (item,), dict(named)
