"""Known models behind their own verbs."""

from torchbend.interfaces.base import Interface

__all__ = ["Interface"]
