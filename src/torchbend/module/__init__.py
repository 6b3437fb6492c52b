"""The bent module and its parts."""

from torchbend.module.bended import BendedModule
from torchbend.module.wrapper import BendedWrapper

__all__ = ["BendedModule", "BendedWrapper"]
