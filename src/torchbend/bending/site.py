"""One site as a value: what it is called, what it holds, and where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

__all__ = ["KINDS", "Site", "channel_axis"]

KINDS = ("weight", "buffer", "activation")


@dataclass(frozen=True)
class Site:
    """A place in a model that can be looked at or bent.

    Attributes:
        name: of the weight or buffer (``"decoder.net.3.weight"``), or of the activation (``"sin"``).
        kind: ``"weight"``, ``"buffer"`` or ``"activation"``.
        fn: the method of an activation; None for weights and buffers.
        shape: of an activation in the traced call; None for a weight that is not initialized yet.
        dtype: of its values.
        module_path: dotted path of the module that holds the weight, or in whose code the activation is made.
        source: file and line of the model's code that makes an activation, ``"model.py:12"``.
    """

    name: str
    kind: str
    fn: str | None
    shape: torch.Size | None
    dtype: torch.dtype
    module_path: str
    source: str = ""

    @property
    def label(self) -> str:
        """``"encode:add_4"`` for an activation, the name for a weight or buffer."""
        return f"{self.fn}:{self.name}" if self.fn is not None else self.name

    @property
    def is_activation(self) -> bool:
        """Whether the site is an activation (and not a weight or a buffer)."""
        return self.kind == "activation"

    @property
    def pattern(self) -> str:
        """A pattern that selects this site alone."""
        exact = f"{re.escape(self.name)}$"
        return f"{self.fn}:{exact}" if self.fn is not None else exact

    def __str__(self) -> str:
        return self.label


def channel_axis(dimensions: int, is_activation: bool) -> int | None:
    """The dimension that the channels of a tensor lie along, by the rule that all callbacks follow.

    Dim 1 of an activation (dim 0 of a 1-D one), dim 0 of a weight or buffer; None for a 0-dim tensor.

    >>> channel_axis(3, is_activation=True), channel_axis(3, is_activation=False)
    (1, 0)
    """
    if dimensions == 0:
        return None
    return 1 if is_activation and dimensions > 1 else 0
