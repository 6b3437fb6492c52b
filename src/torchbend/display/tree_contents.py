"""What a module holds, as its tree shows it, and what makes two modules look the same."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

__all__ = ["COMPUTED", "children", "class_name", "count", "structure", "tensor_names", "tensors"]

COMPUTED = "computed"
"""The kind of a weight that is computed from parts (weight norm, parametrizations)."""


def children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Like ``named_children``, with every name of a shared module, and without parametrizations."""
    hidden = "parametrizations" if is_parametrized(module) else None
    return ((n, child) for n, child in module._modules.items() if child is not None and n != hidden)


def tensors(module: nn.Module) -> Iterator[tuple[str, Tensor | None, str]]:
    """Name, tensor and kind of a module's own weights and buffers, and of those computed from parts.

    A computed one that cannot be had without changing the module's state comes as None.
    """
    for name in computed_names(module):
        yield name, _computed(module, name), COMPUTED
    parts = [("", module)]
    if is_parametrized(module):
        parts.append(("parametrizations.", module._modules["parametrizations"]))  # type: ignore[arg-type]
    for prefix, part in parts:
        for name, parameter in part.named_parameters(recurse=bool(prefix), remove_duplicate=False):
            yield prefix + name, parameter, "part" if prefix else ""
        for name, buffer in part.named_buffers(recurse=bool(prefix), remove_duplicate=False):
            yield prefix + name, buffer, "buffer"


def is_parametrized(module: nn.Module) -> bool:
    """Whether weights of the module are computed by ``torch.nn.utils.parametrize``."""
    return not isinstance(module, torch.jit.ScriptModule) and parametrize.is_parametrized(module)


def computed_names(module: nn.Module) -> list[str]:
    """Names of the weights that a module computes from parts."""
    hooks = [h for h in module._forward_pre_hooks.values() if hasattr(h, "compute_weight")]
    hooked = [name for hook in hooks if isinstance(name := getattr(hook, "name", None), str)]
    if not is_parametrized(module):
        return hooked
    lists = module._modules["parametrizations"]
    return [*hooked, *([] if lists is None else lists._modules)]


def _computed(module: nn.Module, name: str) -> Tensor | None:
    if name in vars(module):  # a hook left it there
        held = vars(module)[name]
        return held if isinstance(held, Tensor) else None
    lists: object = module.parametrizations[name]  # type: ignore[index]
    if module.training and isinstance(lists, nn.Module) and next(lists.buffers(), None) is not None:
        return None  # a spectral norm in train mode moves on whenever it is looked at
    with torch.no_grad():
        tensor: Tensor = getattr(module, name)
    return tensor


def class_name(module: nn.Module) -> str:
    """The class as the model's author wrote it."""
    kind = type(module)
    return kind.__bases__[0].__name__ if is_parametrized(module) else kind.__name__


def tensor_names(module: nn.Module) -> Iterator[str]:
    """Names of all weights and buffers inside a module."""
    yield from (name for name, _ in module.named_parameters(remove_duplicate=False))
    yield from (name for name, _ in module.named_buffers(remove_duplicate=False))
    for path, part in module.named_modules():
        yield from (f"{path}.{name}" if path else name for name in computed_names(part))


def structure(module: nn.Module) -> tuple[object, ...]:
    """Classes, names and shapes of a module with weights; empty for one without."""
    tensors = [
        (name, "lazy" if is_lazy(tensor) else tuple(tensor.shape), tensor.dtype)
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    ]
    if not tensors:
        return ()
    return (*((name, type(part).__qualname__) for name, part in module.named_modules()), *tensors)


def count(module: nn.Module) -> str:
    """How many parameters a module holds, in words."""
    total = sum(parameter.numel() for parameter in module.parameters() if not is_lazy(parameter))
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if total >= size:
            return f"{total / size:.3g} {unit} parameters"
    return f"{total} parameter{'' if total == 1 else 's'}"
