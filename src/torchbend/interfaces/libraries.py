"""Optional libraries, told in the package's own words where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from torchbend.errors import MissingExtraError

__all__ = ["accelerate", "diffusers", "transformers"]


def transformers(purpose: str) -> Any:
    """The module ``transformers``.

    Args:
        purpose: what needs it, as ``"MusicGen"``: for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    return _library("transformers", "transformers", purpose)


def diffusers(purpose: str) -> Any:
    """The module ``diffusers``; errors as of `transformers`."""
    return _library("diffusers", "diffusion", purpose)


def accelerate(purpose: str) -> Any:
    """The module ``accelerate``; errors as of `transformers`."""
    return _library("accelerate", "large", purpose)


def _library(name: str, extra: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError.of(name, extra, purpose) from error
