"""The one object that a user holds."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.recipe import BendingConfig
from torchbend.module.baking import baked
from torchbend.module.bending import DEFAULT, Bending
from torchbend.module.looking import Looking
from torchbend.module.selecting import Selecting
from torchbend.module.tracing import Tracing
from torchbend.module.versions import Versions
from torchbend.module.view import reach

__all__ = ["BendedModule"]


class BendedModule(Selecting, Tracing, Bending, Versions, Looking):
    """A module that can be looked into and bent, while the module itself stays as it is.

    Call it like the module: the module's own code runs, with all bends in force. Attributes and methods that
    this class does not have reach the wrapped module, bent.

    Args:
        module: any ``torch.nn.Module``.

    Example:
        >>> import torch, torchbend as tb
        >>> bended = tb.BendedModule(torch.nn.Linear(2, 2, bias=False))
        >>> x = torch.ones(1, 2)
        >>> plain = bended(x)
        >>> _ = bended.bend(tb.Scale(2.0), "weight")
        >>> torch.equal(bended(x), 2 * plain)
        True
        >>> bended.reset()
        >>> torch.equal(bended(x), plain)
        True
    """

    def __init__(self, module: nn.Module, _wrapped_methods: Any = ()) -> None:
        super().__init__(module)
        self.training = module.training
        self._configs: dict[str, BendingConfig] = {}
        self._config_name = DEFAULT
        self._versions: dict[str, dict[str, Tensor]] = {}
        self._version = DEFAULT
        self._mix: dict[str, float] | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's own forward, bent."""
        module = self._modules["module"]
        return self._engine.call("forward", module, args, kwargs)  # type: ignore[arg-type]

    def reset(self, version: str | None = None) -> None:
        """Undo all bends and go back to the module's own weights: outputs are bit for bit what they were."""
        self.reset_bending(version)
        self._activate(DEFAULT, None)

    def __getattr__(self, name: str) -> Any:
        modules = self.__dict__.get("_modules")
        if modules is None or "module" not in modules or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        module = modules["module"]
        try:
            value = getattr(module, name)
        except AttributeError:
            raise AttributeError(
                f"neither {type(self).__name__} nor the wrapped {type(module).__name__} has {name!r}"
            ) from None
        return reach(self._engine, module, name, value)

    # -- devices and dtypes -------------------------------------------------------------------------

    def to(self, *args: Any, in_place: bool = False, _no_warning: bool = False, **kwargs: Any) -> Any:
        """Move or convert what this object wraps, as ``nn.Module.to`` does.

        The module that was wrapped is left as it is: the weights that have to live elsewhere are a copy.

        Args:
            in_place: move the wrapped module itself; nothing is copied.
        """
        self.__dict__["_move_in_place"] = in_place
        try:
            return super().to(*args, **kwargs)
        finally:
            self.__dict__.pop("_move_in_place", None)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        module = self.module
        tensors = [*module.parameters(), *module.buffers()]
        with torch.no_grad():
            if all(fn(t) is t for t in tensors):
                return self
            with self._engine.lock:
                moved = module if self.__dict__.get("_move_in_place") else copy.deepcopy(module)
                moved._apply(fn)  # type: ignore[no-untyped-call]
                self._modules["module"] = moved
                self._engine.rewrap(moved)
                self._versions = {
                    v: {n: fn(t) for n, t in held.items()} for v, held in self._versions.items()
                }
                self._activate(self._version, self._mix)
        return self

    def bend_module(self, fn: str = "forward", version: str | None = None) -> nn.Module:
        """An independent copy of the wrapped module with the bent weights; activations are not bent in it.

        Args:
            fn: the copy serves every method; named for older code.
            version: of this version's weights; by default of the active one.

        Raises:
            VersionError: there is no version of that name.
        """
        with self._engine.lock, self._during(version):
            return baked(self.module, self._engine.bent_tensors())

    def script(
        self,
        script: bool = True,
        export_for_nn: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> nn.Module:
        """The traced methods, bent, as TorchScript with live controls (see `torchbend.export.script`).

        Raises:
            NotTracedError: no method was traced, and no inputs are given.
            ExportError: a callback or the model cannot be exported.
        """
        from torchbend.export import script as export

        return export(self._engine, script, export_for_nn, inputs)

    def export(
        self,
        path: str | os.PathLike[str],
        target: str = "nn~",
        *,
        methods: Mapping[str, Any] | Sequence[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        patches: bool = True,
        seed: int | None = None,
        warm_up: bool = True,
        context: int | Mapping[str, int] = 0,
        batch: int = 4,
    ) -> Path | list[Path]:
        """Write the traced methods, bent, to a file, with live controls (see `torchbend.export.export`).

        Args:
            path: of the file; a JSON file that tells where it comes from is written beside it.
            target: ``"nn~"`` for Max and Pure Data, ``"torchscript"`` for any program with libtorch,
                ``"onnx"`` for ONNX Runtime, ``"pt2"`` for ``torch.export.load``.
            methods: names of the methods; for nn~ also for each its
                ``(in_channels, in_ratio, out_channels, out_ratio)``; all traced methods by default.
            inputs: for the other targets: example inputs by method.
            patches: for nn~: write a patch for Pure Data and one for Max beside the file.
            seed: for nn~: an attribute ``seed`` of this value; random numbers begin there when the file is
                loaded, and anew when it is set.
            warm_up: for nn~: play silence when the file is loaded, so that the first blocks are fast.
            context: for nn~: how many values of its input a method looks at to either side, for all methods
                or by name. It remembers them from block to block, so that a network with padding does not
                click at their borders, and is so much later.
            batch: signals at once that ``context`` is remembered for, at most.

        Returns:
            The path of the file; for ``"onnx"`` and ``"pt2"`` the paths of the files, one for each method.

        Raises:
            NotTracedError: no method was traced.
            ExportError: something cannot be exported; nothing is written then.
            MissingExtraError: the target needs a package that is not installed.
        """
        from torchbend.export import export

        return export(
            self._engine,
            path,
            target,
            methods,
            inputs,
            patches,
            seed=seed,
            warm_up=warm_up,
            context=context,
            batch=batch,
        )

    @classmethod
    def copy(cls, module: nn.Module) -> nn.Module:
        """An independent copy of a module."""
        return copy.deepcopy(module)
