"""A bent model with its inputs, as the commands have it from their options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import typer
from torch import nn

from torchbend.cli.inputs import GivenInputs, read_inputs
from torchbend.cli.known import Known, known_model, open_known
from torchbend.cli.models import open_model, told_as
from torchbend.cli.steps import Tell
from torchbend.interfaces.base import BendingInterface
from torchbend.module import BendedModule

__all__ = ["Subject", "open_subject"]


@dataclass(frozen=True)
class Subject:
    """What a command works on.

    Attributes:
        bended: the model.
        inputs: of its call.
        method: that is called; None for a known model of which no method is asked for.
        texts: the inputs as the user wrote them.
    """

    bended: BendedModule
    inputs: GivenInputs
    method: str | None
    texts: tuple[str, ...] = ()

    @property
    def interface(self) -> BendingInterface | None:
        """The model, where an interface knows it."""
        return self.bended if isinstance(self.bended, BendingInterface) else None

    @property
    def methods(self) -> list[str]:
        """The methods that are looked at: the one that was asked for, or all that have names inside."""
        if self.method is not None:
            return [self.method]
        return self.interface.bent_methods if self.interface is not None else []

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
            TorchbendError: there is no such method, or it failed.
        """
        name = self.method or "forward"
        with torch.no_grad(), told_as("the bent model failed", f"{name}()"):
            method = self.bended if name == "forward" else getattr(self.bended, name)
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
    method: str | None,
    sample_rate: int | None = None,
    mono: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Subject:
    """Makes the model, reads its inputs, and captures the method if there are any.

    Args:
        tell: is told of each of the three steps.
        model: a known model (see :func:`torchbend.cli.known.known_model`) or a factory.
        arguments, weights, key, loose: see :func:`torchbend.cli.models.open_model`; a known model brings its
            own weights.
        inputs: see :func:`torchbend.cli.inputs.read_inputs`, like the last four. Those of a known model of
            which no method is asked for stay as they are written.
        method: to call; None: ``forward`` of a factory's model, and none of a known one's.

    Raises:
        TorchbendError: any of it cannot be had.
    """
    known = known_model(model)
    bended: BendedModule
    tell(f"making {model}")
    if known is not None:
        bended = _opened(known, arguments, weights, seed, device)
        if method is None:
            return Subject(bended, GivenInputs(), None, tuple(inputs or ()))
        sample_rate = sample_rate or _rate_of(bended)
    else:
        method = method or "forward"
        bended = _wrapped(open_model(model, arguments or (), weights, key, not loose, seed, device))
    tell("reading inputs")
    given = read_inputs(inputs or (), sample_rate, mono, seed, device, texts=known is not None)
    subject = Subject(bended, given, method, tuple(inputs or ()))
    if given and not _is_verb(bended, method):
        tell(f"capturing {method}()")
        subject.trace()
    return subject


def _opened(
    known: Known, arguments: Sequence[str] | None, weights: Path | None, seed: int, device: str
) -> BendingInterface:
    if weights is not None:
        raise typer.BadParameter(
            "a known model brings its own weights; this is for a factory's models", param_hint="--weights"
        )
    return open_known(known, arguments or (), seed, device)


def _wrapped(module: nn.Module) -> BendedModule:
    """A model that a factory made; RAVE is known, whoever made it, and an interface stays what it is."""
    from torchbend.rave import RAVE

    if isinstance(module, BendedModule):
        return module
    if not isinstance(module, RAVE):
        return BendedModule(module)
    from torchbend.interfaces.rave import BendedRAVE

    return BendedRAVE(module)


def _rate_of(bended: BendedModule) -> int | None:
    """The sample rate of a model of sound, in Hz."""
    rate = getattr(bended, "sample_rate", None)
    return rate if isinstance(rate, int) else None


def _is_verb(bended: BendedModule, method: str) -> bool:
    """Whether a method is an interface's own, or is traced already."""
    if not isinstance(bended, BendingInterface):
        return False
    return method in bended.verbs or method in bended.bent_methods
