"""A named part of a bent module, with the bent module's own verbs."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.module.bended import BendedModule
from torchbend.module.bending import BendHandle
from torchbend.module.view import SubmoduleView

__all__ = ["BendedPart"]


class BendedPart(SubmoduleView):
    """A submodule of a bent module: what is bent here is bent in the whole, and the other way round.

    Names and patterns are those within the part: ``model.encoder.bend(cb, "net.0")`` is
    ``model.bend(cb, "encoder.net.0")``.

    Args:
        whole: the bent module.
        path: where the part is in it.

    Attributes:
        module: the part itself, not bent.
    """

    def __init__(self, whole: BendedModule, path: str) -> None:
        super().__init__(whole._engine, whole.module.get_submodule(path))
        self._whole = whole
        self._path = path

    @property
    def weight_names(self) -> list[str]:
        """The names of the part's weights."""
        return self._own(self._whole.weight_names)

    @property
    def buffer_names(self) -> list[str]:
        """The names of the part's buffers."""
        return self._own(self._whole.buffer_names)

    def weight(self, name: str) -> Tensor:
        """A weight of the part, not bent (see `BendedModule.weight`)."""
        return self._whole.weight(f"{self._path}.{name}")

    def bend(self, callback: BendingCallback, *patterns: str, **options: Any) -> BendHandle:
        """Bend weights of the part.

        Args:
            callback: what is applied.
            patterns: regular expressions, matched from the start of the names of the part's weights.
            options: those of `BendedModule.bend`.

        Raises:
            SiteNotFoundError: a pattern matches no weight.
        """
        within = [f"{re.escape(self._path)}\\.(?:{pattern})" for pattern in patterns]
        return self._whole.bend(callback, *within, **options)

    def bended_keys(self) -> list[str]:
        """The names of the part's weights that are bent."""
        return self._own(self._whole.bended_keys())

    def print_weights(self, flt: str = ".*", exclude: Any = None, out: Any = None) -> str:
        """The part's weights as a table, under their names in the whole."""
        return self._whole.print_weights(f"{re.escape(self._path)}\\.(?:{flt})", exclude, out)

    def _own(self, names: list[str]) -> list[str]:
        prefix = f"{self._path}."
        return [name[len(prefix) :] for name in names if name.startswith(prefix)]

    def __repr__(self) -> str:
        size = sum(weight.numel() for weight in self.module.parameters())
        return f"BendedPart({self._path}: {type(self.module).__name__}, {size:,} weights)"
