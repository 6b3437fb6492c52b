"""Weights that are kept elsewhere, and brought in for the time of a module's call.

accelerate does so with models that are too large for one device: a weight is an empty tensor on the device
"meta", its values are in memory or on disk, and a hook, which stands in the place of the module's
``forward``, puts them there before each call and takes them away after it. Nothing of accelerate is imported
here: its hooks are known by what they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree

__all__ = ["Kept", "brought_in_quietly", "hooked", "kept_elsewhere", "tied_names"]


class Kept(NamedTuple):
    """Where a weight's values are.

    Attributes:
        hook: what brings them in; its ``weights_map`` gives them.
        key: of the weight in that map.
        outline: the empty tensor in its place: shape and dtype.
    """

    hook: Any
    key: str
    outline: Tensor

    def read(self) -> Tensor:
        """The values, as the module would get them."""
        held: Tensor = self.hook.weights_map[self.key]
        return held if held.dtype == self.outline.dtype else held.to(self.outline.dtype)


def hooked(modules: Sequence[nn.Module]) -> list[tuple[nn.Module, Any]]:
    """The modules whose ``forward`` such a hook stands in for, each with its hook."""
    return [(part, vars(part)["_hf_hook"]) for part in modules if "_hf_hook" in vars(part)]


def kept_elsewhere(module: nn.Module) -> dict[str, Kept]:
    """The weights and buffers of a module that are kept elsewhere, by name."""
    found: dict[str, Kept] = {}
    for path, part in module.named_modules():
        whole = vars(part).get("_hf_hook")
        for hook in getattr(whole, "hooks", (whole,)):
            if getattr(hook, "offload", False) and isinstance(hook.weights_map, Mapping):
                prefix = f"{path}." if path else ""
                inside = bool(getattr(hook, "place_submodules", False))
                for key, tensor in _offloaded(part, hook, inside):
                    found[prefix + key] = Kept(hook, key, tensor)
    return found


def _offloaded(part: nn.Module, hook: Any, inside: bool) -> Iterator[tuple[str, Tensor]]:
    yield from ((n, t) for n, t in part.named_parameters(recurse=inside, remove_duplicate=False) if t.is_meta)
    if getattr(hook, "offload_buffers", False):
        yield from ((n, t) for n, t in part.named_buffers(recurse=inside) if t.is_meta)


def tied_names(module: nn.Module) -> list[tuple[str, str]]:
    """Pairs of names of one weight, as models of transformers tell them: empty tensors do not."""
    pairs = getattr(module, "all_tied_weights_keys", None)
    return [(str(a), str(b)) for a, b in pairs.items()] if isinstance(pairs, Mapping) else []


@contextmanager
def brought_in_quietly(parts: Sequence[tuple[nn.Module, Any]]) -> Iterator[None]:
    """Within it, no function mode sees how hooks bring weights in: that is no part of the model's program.

    Afterwards each weight that was brought in is away again, also where an exception ended the call.

    Args:
        parts: modules and their hooks, as of `hooked`.
    """
    open_calls: dict[int, tuple[nn.Module, Callable[..., Any]]] = {}
    patched = [hook for _, hook in parts if not {"pre_forward", "post_forward"} & vars(hook).keys()]
    for hook in patched:
        _patch(hook, open_calls)
    try:
        yield
    finally:
        for hook in patched:
            del hook.pre_forward, hook.post_forward
        with torch._C.DisableTorchFunction():
            for part, end in reversed(list(open_calls.values())):
                end(part, None)


def _patch(hook: Any, open_calls: dict[int, tuple[nn.Module, Callable[..., Any]]]) -> None:
    begin, end = hook.pre_forward, hook.post_forward

    def pre_forward(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with torch._C.DisableTorchFunction():
            moved = begin(module, *args, **kwargs)
        open_calls[id(module)] = module, end
        # inputs that come from another device are moved again, where it can be seen
        return _pytree.tree_unflatten(
            [_seen_move(*pair) for pair in zip(*map(_leaves, ((args, kwargs), moved)), strict=True)],
            _pytree.tree_structure(moved),
        )

    def post_forward(module: nn.Module, output: Any) -> Any:
        open_calls.pop(id(module), None)
        with torch._C.DisableTorchFunction():
            moved = end(module, output)
        return moved if moved is output else _back(output, moved)

    hook.pre_forward, hook.post_forward = pre_forward, post_forward


def _leaves(value: Any) -> list[Any]:
    return _pytree.tree_leaves(value)


def _seen_move(before: Any, after: Any) -> Any:
    if isinstance(before, Tensor) and isinstance(after, Tensor) and after is not before:
        return before.to(after.device)
    return after


def _back(before: Any, after: Any) -> Any:
    """The result on the device that it goes to; the same tensors where nothing had to be moved."""
    if isinstance(before, Tensor):
        return _seen_move(before, after)
    return after
