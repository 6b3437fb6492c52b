"""A copy of a module that holds bent weights for good."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from torchbend.bending.places import Place, Places

__all__ = ["baked"]


def baked(module: nn.Module, bent: Mapping[str, Tensor]) -> nn.Module:
    """An independent copy of ``module`` with the tensors of ``bent`` in their places.

    A bent weight that was computed from parts (weight norm, parametrizations) is a plain parameter there.

    Args:
        module: stays as it is.
        bent: tensors by the names of weights and buffers.
    """
    made = copy.deepcopy(module)
    places = Places(made)
    chosen = {id(places[name]): (places[name], tensor) for name, tensor in bent.items()}
    for place, tensor in chosen.values():
        if place.kind != "effective":
            own = place.read()
            fresh = tensor.detach().clone()
            held = _parameter(fresh, own.requires_grad) if isinstance(own, nn.Parameter) else fresh
            for slot in place.slots:
                slot.set(held)
    for place, tensor in chosen.values():
        if place.kind == "effective":
            _put_computed(made, place, tensor.detach().clone())
    return made


def _parameter(tensor: Tensor, requires_grad: bool) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad and (tensor.is_floating_point() or tensor.is_complex()))


def _put_computed(root: nn.Module, place: Place, tensor: Tensor) -> None:
    """A plain parameter instead of what computes it."""
    path, _, name = place.names[0].rpartition(".")
    part = root.get_submodule(path)
    if parametrize.is_parametrized(part, name):
        lists: Any = part.parametrizations
        if len(lists) > 1:  # others are still computed: this one by a part that only holds it
            lists._modules[name] = _Fixed(tensor)
            return
        # the class with the computing property is shared with the module that was copied: leave it alone
        part.__class__ = type(part).__bases__[0]
        del part._modules["parametrizations"]
    else:
        part._forward_pre_hooks.pop(place.slots[0].key)
        for held in place.parts:
            part._parameters.pop(held.rpartition(".")[2])
        vars(part).pop(name, None)
    part._parameters[name] = _parameter(tensor, True)


class _Fixed(nn.Module):
    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.value = _parameter(tensor, True)

    def forward(self) -> Tensor:
        return self.value
