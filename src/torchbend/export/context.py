"""Blocks without borders: methods that look around in their input hear its past before each block.

A network with padding sees silence beyond both ends of what it is given. Block by block, that is a click at
each border. With a context of ``c`` values it gets the last ``2 c`` ones before each block, and what it makes
of the middle is played: its output is ``c`` values late, and the same as for the whole signal if it looks no
further than that to either side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from torchbend.errors import ExportError
from torchbend.export.play import Played
from torchbend.rave.streaming import extend

__all__ = ["with_context"]


def with_context(
    methods: Mapping[str, Played], context: int | Mapping[str, int], rows: int, like: Tensor
) -> tuple[dict[str, Played], nn.ModuleDict]:
    """Methods that remember their input, and the modules that hold what they remember.

    Args:
        methods: from whole signals to whole signals.
        context: values of the input that a method looks at to either side; for all methods, or by name.
        rows: signals side by side, at most.
        like: a tensor of the model's type, on its device.

    Raises:
        ExportError: there is no such method, or the context is no number of values that suits its ratios.
    """
    told = context if isinstance(context, Mapping) else dict.fromkeys(methods, context)
    if rows < 1:
        raise ExportError("a file plays one signal at least", site="batch", wanted="1 or more", got=rows)
    for name in told:
        if name not in methods:
            raise ExportError(
                "there is no such method", site="context", wanted=" or ".join(methods), got=repr(name)
            )
    found, held = dict(methods), nn.ModuleDict()
    for name, values in told.items():
        if values:
            found[name], held[f"before_{name}"] = _remembering(name, methods[name], values, rows, like)
    return found, held


def _remembering(name: str, method: Played, values: int, rows: int, like: Tensor) -> tuple[Played, nn.Module]:
    about = method.about
    unit = max(about.out_ratio // about.in_ratio, 1)
    if values < 1 or values % unit:
        raise ExportError(
            "this is no context of this method",
            site=f"context of {name}()",
            wanted=f"a multiple of {unit}, above 0" if unit > 1 else "a whole number above 0",
            got=values,
        )
    memory = _Memory(torch.zeros(rows, about.in_channels, 2 * values).to(like))
    call = _around(method.call, memory, about.in_ratio, about.out_ratio)
    late = (method.delay or 0.0) + values * about.in_ratio
    return replace(method, call=call, delay=late), memory


def _around(
    call: Callable[[Tensor], Tensor], memory: _Memory, in_ratio: int, out_ratio: int
) -> Callable[[Tensor], Tensor]:
    values = memory.past.shape[-1] // 2

    def played(x: Tensor) -> Tensor:
        whole = call(extend(memory.past, x))
        return whole.narrow(-1, values * in_ratio // out_ratio, x.shape[-1] * in_ratio // out_ratio)

    return played


class _Memory(nn.Module):
    """The last values of an input.

    Args:
        past: shape ``[rows, channels, 2 * context]``.
    """

    past: Tensor

    def __init__(self, past: Tensor) -> None:
        super().__init__()
        self.register_buffer("past", past)
