"""A model that is run for an export is afterwards what it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from torchbend.bending.engine import Engine
from torchbend.bending.places import Places
from torchbend.capture.preserve import Preserved, random_state_kept

__all__ = ["restored"]


@contextmanager
def restored(engine: Engine, beside: nn.Module | None = None) -> Iterator[None]:
    """Within it nobody else calls the model; afterwards module, random state and engine are as before.

    Args:
        engine: of the bent model.
        beside: a module beside the model that is kept too.
    """
    modules = [engine.module, *([] if beside is None else [beside])]
    with engine.lock:
        preserved = Preserved([part for module in modules for part in module.modules()])
        for module in modules:
            for place in Places(module).buffers.values():
                preserved.before_write(place.read())
        try:
            with random_state_kept(), torch.no_grad():
                yield
        finally:
            preserved.restore()
            engine.changed()
