"""Leave the module, and the random state, as they were before a capture."""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

# What every module has: flags, and dicts that are noted by themselves.
INTERNAL = frozenset(nn.Module().__dict__)
_REGISTERED = ("_parameters", "_buffers", "_modules")
# A model may register hooks when it is first called.
_HOOKS = tuple(sorted(key for key in INTERNAL if key.startswith(("_forward_hooks", "_forward_pre_hooks"))))

__all__ = ["INTERNAL", "Preserved", "random_state_kept"]


class Preserved:
    """A module's state before a run.

    Attributes and the registration of weights are noted at once. Contents of weights and buffers are copied
    only when something is about to write into them (``before_write``), buffers of leaf modules when the leaf
    is entered (``before_leaf``): a capture must not cost a copy of the model.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._shallow: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._nested: list[tuple[dict[str, Any], str, Any]] = []
        self._storages: dict[int, torch.Tensor] = {}
        self._copies: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for part in modules:
            if not isinstance(part, torch.jit.ScriptModule):
                self._note(part.__dict__)
            for tensor in (*part._parameters.values(), *part._buffers.values()):
                if tensor is not None:
                    self._add(tensor)

    def _note(self, held: dict[str, Any]) -> None:
        self._shallow.append((held, dict(held)))
        for key in _REGISTERED + _HOOKS:
            self._shallow.append((held[key], dict(held[key])))
        for key in [key for key in held if key not in INTERNAL]:
            value = held[key]
            if isinstance(value, torch.Tensor):
                self._add(value)
            elif type(value) in (list, dict, set):
                self._nested.append((held, key, value.copy()))

    def _add(self, tensor: torch.Tensor) -> None:
        if tensor.is_meta or torch.nn.parameter.is_lazy(tensor):
            return
        self._storages.setdefault(tensor.untyped_storage().data_ptr(), tensor)

    def before_write(self, tensor: Any) -> None:
        """Keep the contents of the weight or buffer whose memory ``tensor`` shares, if any."""
        if not isinstance(tensor, torch.Tensor) or tensor.device.type == "meta":
            return
        try:
            pointer = tensor.untyped_storage().data_ptr()
        except (RuntimeError, NotImplementedError):  # a tensor without storage shares none
            return
        owner = self._storages.get(pointer)
        if owner is not None and pointer not in self._copies:
            self._copies[pointer] = (owner, owner.detach().clone())

    def before_leaf(self, leaf: nn.Module) -> None:
        """Keep the buffers of a leaf module, whose inside is not watched."""
        for buffer in leaf.buffers() if leaf._buffers or leaf._modules else ():
            self.before_write(buffer)

    def restore(self) -> None:
        """Put everything back."""
        with torch.no_grad():
            for owner, copy in self._copies.values():
                owner.data.copy_(copy)
        for held, before in self._shallow:
            if held.keys() == before.keys() and all(map(operator.is_, held.values(), before.values())):
                continue
            for key in [k for k in held if k not in before]:
                del held[key]
            for key, value in before.items():
                if held.get(key) is not value:
                    held[key] = value
        for held, key, value in self._nested:
            _refill(held, key, held[key], value)


def _refill(held: dict[str, Any], key: str, now: Any, before: Any) -> None:
    """Give the same list, dict or set its former items; objects that refer to it see them too."""
    if type(now) is not type(before):
        held[key] = before
    elif isinstance(before, list):
        if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=False)):
            now[:] = before
    elif isinstance(before, dict):
        if list(now) != list(before) or any(now[k] is not before[k] for k in before):
            now.clear()
            now.update(before)
    elif now != before:
        now.clear()
        now.update(before)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the random state of Python, numpy and torch (all devices) back afterwards."""
    python, numpy_state, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if _cuda_in_use() else []
    try:
        yield
    finally:
        random.setstate(python)  # less work than to ask whether it moved
        if _position(np.random.get_state()) != _position(numpy_state):
            np.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def _cuda_in_use() -> bool:
    used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return used


def _position(state: Any) -> tuple[Any, ...]:
    """What changes in numpy's state with every draw: comparing it is faster than writing the state."""
    return (state[1].tobytes(), *state[2:])
