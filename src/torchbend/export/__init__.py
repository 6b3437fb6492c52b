"""Let a bent model leave Python."""

from torchbend.export.play import PlayMethod
from torchbend.export.targets import TARGETS, export
from torchbend.export.torchscript import script

__all__ = ["TARGETS", "PlayMethod", "export", "script"]
