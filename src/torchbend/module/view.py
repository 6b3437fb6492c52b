"""A part of a bent module: ``bended.encoder`` is the encoder, bent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from torchbend.bending.engine import Engine

__all__ = ["SubmoduleView", "reach"]


def reach(engine: Engine, owner: nn.Module, name: str, value: Any) -> Any:
    """What an attribute of the wrapped module looks like from outside: modules and methods run bent."""
    if isinstance(value, nn.Module):
        return SubmoduleView(engine, value)
    if callable(value) and getattr(value, "__self__", None) is owner:

        def method(*args: Any, **kwargs: Any) -> Any:
            return engine.call(name if owner is engine.module else f"{name}()", value, args, kwargs)

        method.__name__ = name
        method.__doc__ = getattr(value, "__doc__", None)
        method.__wrapped__ = value  # type: ignore[attr-defined]
        return method
    return value


class SubmoduleView:
    """A submodule seen through the bent module that it belongs to: its calls are bent.

    Attributes:
        module: the submodule itself, not bent.
    """

    def __init__(self, engine: Engine, module: nn.Module) -> None:
        self._engine = engine
        self.module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._engine.call("submodule()", self.module, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "module" not in self.__dict__:
            raise AttributeError(name)
        return reach(self._engine, self.module, name, getattr(self.module, name))

    def __getitem__(self, index: Any) -> Any:
        container: Any = self.module
        return reach(self._engine, self.module, str(index), container[index])

    def __len__(self) -> int:
        container: Any = self.module
        return len(container)

    def __iter__(self) -> Iterator[Any]:
        container: Any = self.module
        return (reach(self._engine, self.module, "", item) for item in container)

    def __repr__(self) -> str:
        return repr(self.module)

    def __dir__(self) -> list[str]:
        return sorted({"module", *dir(self.module)})
