"""The optional library, told in the package's own words where it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from torchbend.errors import MissingExtraError

__all__ = ["transformers"]


def transformers() -> Any:
    """The module ``transformers``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("transformers")
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError.of("transformers", "transformers", "MusicGen and AudioGen") from error
