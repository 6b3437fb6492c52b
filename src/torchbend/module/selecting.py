"""Select sites first, look at what was selected, then act on it."""

from __future__ import annotations

from torchbend.module.core import Core

__all__ = ["Selecting"]


class Selecting(Core):
    """The side of a bent module that makes selections."""
