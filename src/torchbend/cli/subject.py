"""A bent model with its inputs, as the commands have it from their options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from torchbend.cli.inputs import GivenInputs, read_inputs
from torchbend.cli.models import open_model, told_as
from torchbend.cli.steps import Tell
from torchbend.module import BendedModule

__all__ = ["Subject", "open_subject"]


@dataclass(frozen=True)
class Subject:
    """What a command works on.

    Attributes:
        bended: the model.
        inputs: of its call.
        method: that is called.
    """

    bended: BendedModule
    inputs: GivenInputs
    method: str

    def trace(self) -> None:
        """Captures the method.

        Raises:
            TorchbendError: the model does not take these inputs.
        """
        with torch.no_grad(), told_as("the model does not run with these inputs", f"{self.method}()"):
            self.bended.trace(*self.inputs.in_order, fn=self.method, **self.inputs.by_name)

    def run(self) -> Any:
        """Calls the method, bent.

        Raises:
            TorchbendError: it failed.
        """
        method = self.bended if self.method == "forward" else getattr(self.bended, self.method)
        with torch.no_grad(), told_as("the bent model failed", f"{self.method}()"):
            return method(*self.inputs.in_order, **self.inputs.by_name)


def open_subject(
    tell: Tell,
    model: str,
    *,
    arguments: Sequence[str] | None,
    weights: Path | None,
    key: str | None,
    loose: bool,
    inputs: Sequence[str] | None,
    method: str,
    sample_rate: int | None = None,
    mono: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Subject:
    """Makes the model, reads its inputs, and captures the method if there are any.

    Args:
        tell: is told of each of the three steps.
        model: see :func:`torchbend.cli.models.open_model`, like the next four.
        inputs: see :func:`torchbend.cli.inputs.read_inputs`, like the last four.
        method: to call.

    Raises:
        TorchbendError: any of it cannot be had.
    """
    tell(f"making {model}")
    module = open_model(model, arguments or (), weights, key, not loose, seed, device)
    tell("reading inputs")
    given = read_inputs(inputs or (), sample_rate, mono, seed, device)
    subject = Subject(BendedModule(module), given, method)
    if given:
        tell(f"capturing {method}()")
        subject.trace()
    return subject
