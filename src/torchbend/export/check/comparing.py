"""Whether a file gives what was given before: by the live model, or by an earlier export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.export.check.blocks import FAILURES, Method, non_contiguous, play, reason
from torchbend.export.check.findings import failure
from torchbend.export.check.session import Session

__all__ = ["TOLERANCE", "compare"]

TOLERANCE = 1e-5
"""Of the loudest sample, at least 1."""


def compare(session: Session, references: Path) -> None:
    """Plays recorded blocks and looks at what comes out.

    Args:
        session: the file.
        references: of ``{method: [[inputs], [outputs]]}``, tensors only.
    """
    recorded = torch.load(references, weights_only=True)
    for name, (inputs, outputs) in recorded.items():
        session.step(f"{name}(), comparing")
        method = next((m for m in session.methods if m.name == name), None)
        if method is None:
            names = ", ".join(f"{m.name}()" for m in session.methods)
            session.tell(failure("comparison", f"{name}()", "there is no such method to compare", names))
            continue
        away = _difference(session, method, inputs, outputs)
        if away is not None:
            session.result("comparison", {"method": name, "difference": away})


def _difference(
    session: Session, method: Method, inputs: list[Tensor], outputs: list[Tensor]
) -> float | None:
    """The largest difference over all blocks; None where one could not be played."""
    module: Any = session.load()
    torch.manual_seed(0)
    largest, where = 0.0, f"{method.name}()"
    for number, (x, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        try:
            out = play(module, method, non_contiguous(x))
        except FAILURES as error:
            session.tell(failure("comparison", where, f"it fails at block {number}", got=reason(error)))
            return None
        if not isinstance(out, Tensor) or out.numel() != wanted.numel():
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            session.tell(
                failure("comparison", where, f"another shape at block {number}", tuple(wanted.shape), got)
            )
            return None
        away = float((out.reshape(wanted.shape) - wanted).abs().max())
        bound = TOLERANCE * max(1.0, float(wanted.abs().max()))
        largest = max(largest, away)
        if not away <= bound:
            message = f"it gives something else than was given before, at block {number}"
            session.tell(failure("comparison", where, message, f"within {bound:.2g}", f"{away:.3g}"))
            return away
    return largest
