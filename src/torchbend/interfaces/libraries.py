"""Optional libraries, told in the package's own words where they are missing."""

from __future__ import annotations

import importlib
import logging
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
    """The module ``diffusers``; errors as of `transformers`.

    Its pipelines ask for torchvision's readers of images, and transformers tells that it takes others. Nobody
    has to do anything about it, so this is not printed.
    """
    logging.getLogger("transformers.utils.import_utils").addFilter(_worth_telling)
    return _library("diffusers", "diffusion", purpose)


def accelerate(purpose: str) -> Any:
    """The module ``accelerate``; errors as of `transformers`."""
    return _library("accelerate", "large", purpose)


def _worth_telling(record: logging.LogRecord) -> bool:
    return "requires torchvision" not in record.getMessage()


def _library(name: str, extra: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError.of(name, extra, purpose) from error
