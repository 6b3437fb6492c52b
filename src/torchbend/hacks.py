"""Bends that a user keeps in a Python file of their own."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from torchbend.errors import RecipeError

__all__ = ["import_hacks_from_file"]


def import_hacks_from_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Run a Python file, and return what it calls ``callbacks`` and ``params``.

    This runs the file's code, with all that your account may do: name only files that you trust. A recipe
    (`BendingConfig.load`) needs no such trust.

    Args:
        path: of the ``.py`` file. It sets ``callbacks``, and ``params`` or ``activations``: patterns.

    Returns:
        ``{"callbacks": ..., "params": ...}``, and ``"activations"`` where the file has them.

    Raises:
        RecipeError: there is no such file, its code fails, or it lacks one of the names.
    """
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise RecipeError("no such Python file", site=str(file), wanted="the path of a .py file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise RecipeError("this file cannot be loaded as Python", site=str(file))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RecipeError(
            f"the code of the file fails: {type(error).__name__}: {error}",
            site=str(file),
            next_step="run the file by itself to see where",
        ) from error
    found = {n: getattr(module, n) for n in ("callbacks", "params", "activations") if hasattr(module, n)}
    if "callbacks" not in found or len(found) < 2:
        raise RecipeError(
            "the file does not say what to bend",
            site=str(file),
            wanted="the names callbacks, and params or activations",
            got=", ".join(n for n in vars(module) if not n.startswith("_")) or "no name at all",
            next_step='write in it, say: callbacks = [Scale(2.0)] and params = ["decoder.*weight"]',
        )
    return {"params": [], **found}
