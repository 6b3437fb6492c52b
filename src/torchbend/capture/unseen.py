"""Constants from code that cannot be seen: a graph that holds some answers for its own inputs only.

A scripted function or numpy computes without torch calls that could be recorded. Its result is a constant of
the graph, and nobody can tell whether it depends on the method's inputs. A replay therefore compares the
inputs with those of the capture, by their fingerprints.
"""

from __future__ import annotations

import gc
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from torchbend.capture.sizes import plain
from torchbend.capture.structure import walk
from torchbend.errors import ReplayError

__all__ = [
    "new_objects_apart",
    "made_since_the_capture_began",
    "fingerprint",
    "check_inputs",
    "tell_constants",
]

logger = logging.getLogger("torchbend")


@contextmanager
def new_objects_apart() -> Iterator[None]:
    """Within it, the garbage collector lists only objects that were made within it.

    It does not collect meanwhile: a full collection would forget how many old objects there are, and soon
    start another one over all of them.
    """
    frozen_before, enabled = gc.get_freeze_count(), gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen_before:  # a program that froze its own objects keeps them frozen
            gc.unfreeze()
        if enabled:
            gc.enable()


def made_since_the_capture_began(tensor: torch.Tensor) -> bool:
    """Whether a tensor that no call made is new: it then comes from code that cannot be seen.

    An older one was there before the method was called (in a closure, a list, a global): a true constant.
    """
    return any(found is tensor for found in gc.get_objects())


def fingerprint(value: Any) -> str:
    """A hash over shapes, dtypes and contents of the tensors inside ``value``, or over a number."""
    digest = hashlib.sha256(repr(plain(value)).encode() if isinstance(value, (int, float)) else b"")
    for path, tensor in walk(value):
        digest.update(f"{path}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_inputs(expected: dict[str, str], method: str, values: dict[str, Any]) -> None:
    """Refuse inputs other than those of the capture.

    Raises:
        ReplayError: an input differs, and a constant of the graph may depend on it.
    """
    for name, known in expected.items():
        if name in values and fingerprint(values[name]) != known:
            raise ReplayError(
                f"the graph of {method!r} holds constants from code that cannot be seen",
                site=f"{method}({name})",
                wanted="the inputs of the traced call",
                got=f"another {name}",
                next_step="call the bent model itself (its own code runs), or trace again with this input",
            )


def tell_constants(method: str, places: list[str]) -> None:
    """Log which constants a capture met."""
    logger.warning(
        "%s: %d tensor(s) come from code that cannot be seen and are constants of the graph: %s",
        method,
        len(places),
        "; ".join(places[:3]),
    )
