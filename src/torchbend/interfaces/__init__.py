"""Known models behind their own verbs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from torchbend.interfaces.base import BendingInterface, Interface

if TYPE_CHECKING:
    from torchbend.interfaces.language import BendedLanguageModel
    from torchbend.interfaces.rave import BendedRAVE

__all__ = ["BendedLanguageModel", "BendedRAVE", "BendingInterface", "Interface"]

# Interfaces are imported at first use: each brings its own family of models.
_HOME_OF = {
    "BendedLanguageModel": "torchbend.interfaces.language",
    "BendedRAVE": "torchbend.interfaces.rave",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
