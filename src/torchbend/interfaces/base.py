"""The base of interfaces: known models behind their own verbs."""

from __future__ import annotations

from typing import Any

from torchbend.module import BendedWrapper

__all__ = ["Interface"]


class Interface(BendedWrapper):
    """A known model, bent, with methods of its own that a subclass adds (``encode``, ``generate``, ...).

    A subclass calls what it wraps through itself (``self.decode(z)``), so that bends are in force.

    Args:
        model: the model: a module, or an object that holds modules.

    Raises:
        TorchbendError: it is no module and holds none.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
