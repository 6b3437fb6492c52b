"""What all sides of a bent module share: the wrapped module, its engine, its captures."""

from __future__ import annotations

from typing import Any

from torch import nn

from torchbend.bending.engine import Engine
from torchbend.bending.places import Places
from torchbend.bending.sites import closest, not_traced
from torchbend.capture import Activation, Capture
from torchbend.errors import SiteNotFoundError, TorchbendError

__all__ = ["Core"]


class Core(nn.Module):
    """Holds a module without changing it.

    Args:
        module: any ``nn.Module``.

    Raises:
        TorchbendError: ``module`` is something else.
    """

    _engine: Engine

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise TorchbendError(
                "only a torch.nn.Module can be wrapped",
                wanted="a torch.nn.Module",
                got=type(module).__name__,
                next_step="pass the model itself; for another object that holds modules use BendedWrapper",
            )
        if isinstance(module, Core):
            raise TorchbendError(
                "this module is bent already",
                got=type(module).__name__,
                next_step="use it as it is, or wrap its .module again",
            )
        self._modules["module"] = module
        self._engine = Engine(module)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "module":
            raise TorchbendError(
                "the wrapped module cannot be replaced",
                wanted="a BendedModule of its own for each module",
                next_step="wrap the other module: BendedModule(other)",
            )
        super().__setattr__(name, value)

    @property
    def module(self) -> nn.Module:
        """The wrapped module: as it was, whatever is bent."""
        return self._modules["module"]  # type: ignore[return-value]

    @property
    def _captures(self) -> dict[str, Capture]:
        return self._engine.captures

    def _capture_of(self, fn: str) -> Capture:
        if fn not in self._captures:
            raise not_traced(fn, self._captures)
        return self._captures[fn]

    def _activation(self, name: str, fn: str) -> Activation:
        known = self._capture_of(fn).activations
        if name not in known:
            raise SiteNotFoundError(
                f"{fn!r} has no activation {name!r}",
                site=f"{fn}:{name}",
                wanted=f"closest names: {', '.join(closest(name, known))}",
                next_step=f"print_activations({fn!r}) lists them",
            )
        return known[name]

    def _places(self) -> Places:
        return Places(self.module)

    # Methods that other sides provide and this one's users call.
    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        function = self.module if method == "forward" else getattr(self.module, method)
        return self._engine.call(method, function, args, kwargs)
