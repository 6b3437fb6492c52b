"""Known models, as a user names them: ``language:gpt2``, ``rave:tiny``, ``runs/birds``, ``sax``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import typer

from torchbend.cli.models import told_as
from torchbend.cli.words import named_values
from torchbend.errors import MissingExtraError
from torchbend.interfaces import kinds
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.kinds import install, is_installed, kind_of
from torchbend.shipped import model_paths

__all__ = ["TINY", "Known", "known_model", "open_known", "render_options"]

TINY = "tiny"
"""The source that stands for a model with random weights, made on the spot."""


class Known(NamedTuple):
    """A model that an interface knows.

    Attributes:
        kind: the interface's class.
        source: what it loads.
    """

    kind: type[BendingInterface]
    source: str

    @property
    def name(self) -> str:
        """The words that name it."""
        return f"{self.kind.kind}:{self.source}"


def known_model(spec: str) -> Known | None:
    """The known model that a user means.

    Args:
        spec: ``KIND:SOURCE``; or a file or folder of a RAVE model; or the name of one that comes along.

    Returns:
        None where the spec is none of these: then it names a factory.

    Raises:
        typer.BadParameter: it is a kind alone.
    """
    kind, colon, source = spec.partition(":")
    found = kind_of(kind) if colon and source else None
    if found is not None:
        return Known(found, source)
    if spec in model_paths() or (Path(spec).suffix != ".py" and Path(spec).exists()):
        from torchbend.interfaces.rave import BendedRAVE

        return Known(BendedRAVE, spec)
    if not colon and kind_of(kind) is not None and not Path(spec).exists():
        raise typer.BadParameter(
            f"{spec!r} is a kind of models; of which one? write {spec}:SOURCE, or {spec}:tiny",
            param_hint="MODEL",
        )
    return None


def open_known(
    model: Known, arguments: Sequence[str] = (), seed: int = 0, device: str = "cpu"
) -> BendingInterface:
    """The model, ready to be bent.

    Args:
        model: which one.
        arguments: of its class, beside the source: ``"name=value"``.
        seed: of the weights of a tiny model.
        device: where to put it.

    Raises:
        typer.BadParameter: the class takes other arguments.
        MissingExtraError: a library that such models need is not installed.
        TorchbendError: there is no such model, or it cannot be loaded.
    """
    kind, source = model
    if not is_installed(kind):
        raise MissingExtraError(
            f"{kind.__name__} needs libraries that are not installed",
            site=model.name,
            next_step=install(kind),
        )
    given = named_values(arguments, "--arg")
    _check_arguments(kind, source, given)
    places = "device" in inspect.signature(kind).parameters
    if places:
        given.setdefault("device", device)
    torch.manual_seed(seed)
    with told_as("the model could not be loaded", model.name):
        made = kind.tiny(seed, **given) if source == TINY else kind.load(source, **given)
    if not places:
        with told_as("the model cannot be moved there", device):
            made.module.to(device)
    return made


def _check_arguments(kind: type[BendingInterface], source: str, given: dict[str, Any]) -> None:
    own = kinds.tiny_options(kind) if source == TINY else []
    others = {name: value for name, value in given.items() if name not in {option.name for option in own}}
    try:
        inspect.signature(kind).bind(source, **others)
    except TypeError as error:
        takes = _told([*own, *kinds.class_options(kind)])
        raise typer.BadParameter(f"{error}; {kind.__name__} takes {takes}", param_hint="--arg") from error


def render_options(kind: type[BendingInterface], texts: Sequence[str]) -> dict[str, Any]:
    """The options of a kind's `render`, as a user writes them.

    Args:
        kind: the interface's class.
        texts: ``"name=value"``; a value that is no literal is a text.

    Raises:
        typer.BadParameter: `render` has no such option.
    """
    given = named_values(texts, "--option")
    taken = inspect.signature(kind.render).parameters.values()
    known = kinds.render_options(kind)
    names = {option.name for option in known}
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken)
    for name in given:
        if name not in names and not anything:
            is_argument = name in inspect.signature(kind).parameters
            raise typer.BadParameter(
                f"{name!r} is an argument of {kind.__name__}: --arg {name}=..."
                if is_argument
                else f"there is no option {name!r}; {kind.kind} takes {_told(known)}",
                param_hint="--option",
            )
    return given


def _told(options: Sequence[Any]) -> str:
    return ", ".join(f"{option.name}={option.default!r}" for option in options) or "none"
