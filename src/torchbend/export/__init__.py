"""Let a bent model leave Python."""

from torchbend.export.torchscript import script

__all__ = ["script"]
