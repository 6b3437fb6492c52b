"""The bent module and its parts."""

from torchbend.module.bended import BendedModule

__all__ = ["BendedModule"]
