"""Where tables are shown, and the package's log."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from torchbend.errors import MissingExtraError, TorchbendError

__all__ = [
    "OUTPUT_MODES",
    "debug",
    "get_output",
    "log_error",
    "log_warning",
    "set_output",
    "show_html",
    "using_output",
]

OUTPUT_MODES = ("raw", "notebook")
"""``"raw"`` prints text; ``"notebook"`` shows HTML."""


@dataclass
class _Output:
    mode: str


# The variable holds an object, and `set_output` writes into that object: notebooks run each cell, and
# programs each thread, in a context of its own, where a value set by another one would not be seen.
_output: ContextVar[_Output] = ContextVar("torchbend_output", default=_Output("raw"))  # noqa: B039


def set_output(mode: str) -> None:
    """Choose how tables are shown from now on, in every cell and thread.

    Args:
        mode: ``"raw"`` for printed text, ``"notebook"`` for HTML tables.

    Raises:
        TorchbendError: ``mode`` is another word.
    """
    _output.get().mode = _checked(mode)


def get_output() -> str:
    """The mode in which tables are shown: ``"raw"`` or ``"notebook"``."""
    return _output.get().mode


@contextmanager
def using_output(mode: str) -> Iterator[None]:
    """Show tables in this mode inside a ``with`` block only.

    >>> with using_output("notebook"):
    ...     get_output()
    'notebook'
    >>> get_output()
    'raw'

    Raises:
        TorchbendError: ``mode`` is neither ``"raw"`` nor ``"notebook"``.
    """
    token = _output.set(_Output(_checked(mode)))
    try:
        yield
    finally:
        _output.reset(token)


def show_html(html: str) -> None:
    """Show a piece of HTML below the current notebook cell.

    Raises:
        MissingExtraError: IPython is not installed.
    """
    try:
        display: Any = importlib.import_module("IPython.display")
    except ImportError as error:
        raise MissingExtraError.of("ipython", "notebook", 'set_output("notebook")') from error
    display.display(display.HTML(html))


_logger = logging.getLogger("torchbend")
_debug_handler = logging.StreamHandler()
_debug_handler.setFormatter(logging.Formatter("[%(name)s] %(levelname)s %(message)s"))


def log_warning(*parts: object) -> None:
    """Log the parts, joined by spaces, as a warning of the logger ``torchbend``."""
    _logger.warning(" ".join(map(str, parts)))


def log_error(*parts: object) -> None:
    """Log the parts, joined by spaces, as an error of the logger ``torchbend``."""
    _logger.error(" ".join(map(str, parts)))


def debug(flag: bool = True) -> None:
    """Print the package's debug log to stderr, or stop printing it.

    Args:
        flag: whether messages of level ``DEBUG`` and above are printed.
    """
    if flag:
        _logger.addHandler(_debug_handler)
        _logger.setLevel(logging.DEBUG)
    else:
        _logger.removeHandler(_debug_handler)
        _logger.setLevel(logging.NOTSET)


def _checked(mode: str) -> str:
    if mode not in OUTPUT_MODES:
        raise TorchbendError(
            "unknown way to show tables",
            site="set_output",
            wanted=" or ".join(map(repr, OUTPUT_MODES)),
            got=repr(mode),
        )
    return mode
