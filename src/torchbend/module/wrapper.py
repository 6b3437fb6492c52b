"""Bend an object that holds modules but is none itself: a pipeline, a generator with a tokeniser."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from torchbend.errors import TorchbendError
from torchbend.module.bended import BendedModule

__all__ = ["BendedWrapper", "ObjectModule", "stand_for"]

_OWN = frozenset((*vars(nn.Module()), "_host"))
"""The attributes that belong to a module as such, and not to the object that it stands for."""


class ObjectModule(nn.Module):
    """An ``nn.Module`` that stands for an object (see `stand_for`).

    Its children are the object's own modules; everything else (attributes, methods) is the object's. Methods
    run with this module as their ``self``, so that what they call can be followed; what they set is set in
    the object. A list or dict of modules is seen as a ``ModuleList`` or ``ModuleDict`` of them.

    Args:
        obj: any object with an attribute that is a module, or a list or dict of modules.

    Raises:
        TorchbendError: it holds no module.
    """

    def __init__(self, obj: Any) -> None:
        super().__init__()
        self.__dict__["_host"] = obj
        for name, part in _modules_of(obj):
            self._modules[name] = part
        if not self._modules:
            raise TorchbendError(
                "this object holds no torch.nn.Module that could be bent",
                got=type(obj).__name__,
                wanted="an object with a module, or a list or dict of modules, as an attribute",
                next_step="wrap the part of it that does, or the module itself with BendedModule",
            )
        self.training = any(part.training for part in self.children())

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__
        if name in held.get("_modules", ()):
            return held["_modules"][name]
        if "_host" not in held or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(held["_host"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
            return
        setattr(self.__dict__["_host"], name, value)
        if isinstance(value, nn.Module):
            self._modules[name] = value

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["_host"], name)
        self._modules.pop(name, None)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict[int, Any]) -> ObjectModule:
        copied = stand_for(copy.deepcopy(self.__dict__["_host"], memo))
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        return stand_for, (self.__dict__["_host"],)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


def stand_for(obj: Any) -> ObjectModule:
    """A module that stands for ``obj``, of a class that is the object's too: ``super()`` in methods works.

    Raises:
        TorchbendError: it holds no module.
    """
    kind = type(obj)
    members: dict[str, Any] = {"__module__": __name__, "__slots__": ()}
    for name in ("__call__", "forward"):
        found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
        if found is not None:
            members["forward"] = found
    made = types.new_class(
        f"{kind.__name__}Module", (ObjectModule, kind), {}, lambda space: space.update(members)
    )
    stand: ObjectModule = made(obj)
    return stand


def _modules_of(obj: Any) -> Iterator[tuple[str, nn.Module]]:
    for name, value in getattr(obj, "__dict__", {}).items():
        if isinstance(value, nn.Module):
            yield name, value
        elif isinstance(value, (list, tuple)) and value and all(isinstance(v, nn.Module) for v in value):
            yield name, nn.ModuleList(value)
        elif isinstance(value, dict) and value and all(_named_module(*item) for item in value.items()):
            yield name, nn.ModuleDict(value)


def _named_module(key: Any, value: Any) -> bool:
    return isinstance(value, nn.Module) and isinstance(key, str) and "." not in key


class BendedWrapper(BendedModule):
    """Any object that holds modules, bent as `BendedModule` bends a module.

    The object's methods can be traced and bent; weights are called ``<attribute>.<name in that module>``.
    Unknown attributes and methods reach the object, its methods bent. Bending changes nothing in the object,
    whose own methods stay as they are.

    Args:
        obj: the object; a module is taken as it is.

    Raises:
        TorchbendError: it holds no module.

    Example:
        >>> import torch, torchbend as tb
        >>> class Pipeline:
        ...     def __init__(self):
        ...         self.net = torch.nn.Linear(2, 2, bias=False)
        ...     def generate(self, x):
        ...         return torch.sin(self.net(x))
        >>> bended = tb.BendedWrapper(Pipeline())
        >>> bended.weight_names
        ['net.weight']
        >>> x = torch.ones(1, 2)
        >>> plain = bended.generate(x)
        >>> _ = bended.trace("generate", x)
        >>> _ = bended.bend(tb.Scale(2.0), "sin")
        >>> torch.equal(bended.generate(x), 2 * plain)
        True
    """

    def __init__(self, obj: Any, _wrapped_methods: Any = ()) -> None:
        super().__init__(obj if isinstance(obj, nn.Module) else stand_for(obj), _wrapped_methods)

    @property
    def wrapped_module(self) -> nn.Module:
        """The module that stands for the object; its children are the object's modules."""
        return self.module

    @property
    def wrapped_object(self) -> Any:
        """The object itself, not bent."""
        return vars(self.module).get("_host", self.module)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Like `BendedModule.trace`; the object's own attributes are afterwards what they were."""
        host = vars(self.wrapped_object)
        before = dict(host)
        try:
            return super().trace(*args, **kwargs)
        finally:
            for name in [n for n in host if n not in before]:
                del host[name]
            host.update(before)

    def create_version(
        self,
        name: str,
        weights: Mapping[str, Tensor] | nn.Module | Any = None,
        strict: bool = True,
        force: bool = False,
    ) -> None:
        """Keep a set of weights under a name: those of another object of the same kind, or a state dict.

        Raises:
            VersionError: the name is taken, or names or shapes do not fit.
            TorchbendError: the object holds no module.
        """
        if weights is not None and not isinstance(weights, (Mapping, nn.Module)):
            weights = stand_for(weights)
        super().create_version(name, weights, strict, force)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.wrapped_object).__name__})"
