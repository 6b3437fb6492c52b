"""The folder that keeps what was fetched."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where fetched models are kept; the folder need not exist yet.

    ``$TORCHBEND_CACHE`` if it is set; else ``torchbend`` in ``$XDG_CACHE_HOME``, in ``~/.cache``, or in
    ``%LOCALAPPDATA%`` on Windows.

    Args:
        environment: the variables; those of the process by default.

    Example:
        >>> cache_folder({"TORCHBEND_CACHE": "my-models"}).name
        'my-models'
    """
    held = os.environ if environment is None else environment
    if held.get("TORCHBEND_CACHE"):
        return Path(held["TORCHBEND_CACHE"]).expanduser()
    usual = held.get("XDG_CACHE_HOME") or (held.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    return (Path(usual) if usual else Path.home() / ".cache") / "torchbend"
