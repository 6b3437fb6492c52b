"""The model that a user names: import its factory, call it, fill it with weights."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import typer
from torch import nn

from torchbend.cli.words import literal, named
from torchbend.errors import TorchbendError
from torchbend.interfaces.kinds import closest_kinds
from torchbend.weights_file import apply_weights, load_weights

__all__ = ["check_module", "open_model", "told_as"]


@contextmanager
def told_as(message: str, site: str, next_step: str | None = None) -> Iterator[None]:
    """Errors of the user's own code, told in a sentence; ``--debug`` shows where they arose."""
    try:
        yield
    except TorchbendError:
        raise
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        ImportError,
        LookupError,
        NameError,
        NotImplementedError,
        OSError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise TorchbendError(
            message,
            site=site,
            got=f"{type(error).__name__}: {error}",
            next_step=next_step or "--debug shows where it arose",
        ) from error


def open_model(
    spec: str,
    arguments: Sequence[str] = (),
    weights: Path | None = None,
    key: str | None = None,
    strict: bool = True,
    seed: int = 0,
    device: str = "cpu",
) -> nn.Module:
    """The model in evaluation mode, filled with weights.

    Args:
        spec: ``package.module:factory`` or ``path/to/file.py:factory``. This code is run.
        arguments: of the factory, ``"name=value"`` or, in order, ``"value"``.
        weights, key, strict: as for :func:`torchbend.weights_file.load_weights` and ``apply_weights``.
        seed: of the weights that the factory draws.
        device: where to put it.

    Raises:
        typer.BadParameter: the spec or an argument is malformed, or the factory takes other arguments.
        TorchbendError: there is no such factory, it failed, or it gave no module.
        WeightsFileError: the weights cannot be read, or do not fit.
    """
    factory = _factory(spec)
    torch.manual_seed(seed)
    with told_as("the model could not be made", spec):
        model = factory if isinstance(factory, nn.Module) else _called(factory, spec, arguments)
    if not isinstance(model, nn.Module):
        raise TorchbendError(
            "the factory gave no model", site=spec, wanted="a torch.nn.Module", got=type(model).__name__
        )
    if weights is not None:
        apply_weights(model, load_weights(weights, key), strict)
    with told_as("the model cannot be moved there", device):
        return model.to(device).eval()


def _factory(spec: str) -> Any:
    check_module(spec)
    place, colon, path = spec.rpartition(":")
    if not colon and (Path(spec).suffix not in ("", ".py") or "/" in spec):
        raise TorchbendError(
            "there is no such model",
            site=spec,
            wanted="a file or a folder of a RAVE model, sax, KIND:SOURCE, or a factory",
            next_step='"torchbend models" lists the kinds; a factory is package.module:name or file.py:name',
        )
    if not (colon and place and path):
        raise typer.BadParameter(
            f"{spec!r} names no factory: write package.module:factory, file.py:factory, or KIND:SOURCE for a "
            'known model ("torchbend models" lists the kinds)',
            param_hint="MODEL",
        )
    found: Any = _module_of_file(Path(place)) if place.endswith(".py") else _module_of_name(place)
    for name in path.split("."):
        if not hasattr(found, name):
            public = [n for n in vars(found) if not n.startswith("_") and callable(getattr(found, n))]
            raise TorchbendError(
                f"{place} has no {path!r}", site=spec, wanted=", ".join(public[:12]) or "a factory", got=path
            )
        found = getattr(found, name)
    return found


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TorchbendError("there is no such file", site=str(path), wanted="a Python file with a factory")
    name = f"_torchbend_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TorchbendError("this is no Python file", site=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickles look for the classes of a module
    with told_as("the file could not be run", str(path)), _searching(path.resolve().parent):
        spec.loader.exec_module(module)
    return module


def check_module(spec: str) -> None:
    """Refuses a spec whose module is not there, before anything is imported.

    Args:
        spec: a factory, as of `open_model`.

    Raises:
        TorchbendError: there is no such module, and no such kind of known models.
    """
    place, _, path = spec.rpartition(":")
    top = place.partition(".")[0]
    if not (path and top.isidentifier()) or place.endswith(".py"):
        return
    with _searching(Path.cwd()):
        importlib.invalidate_caches()
        if top in sys.modules or importlib.util.find_spec(top) is not None:
            return
    close = closest_kinds(top)
    raise TorchbendError(
        "the module could not be imported: there is none of this name, and no kind of model either",
        site=spec,
        wanted=f"closest kinds: {', '.join(close)}" if close else None,
        got=place,
        next_step='is it installed, or in the folder that you are in? "torchbend models" lists the kinds',
    )


def _module_of_name(name: str) -> ModuleType:
    where = "is it installed, or in the folder that you are in?"
    with told_as("the module could not be imported", name, where), _searching(Path.cwd()):
        return importlib.import_module(name)


@contextmanager
def _searching(folder: Path) -> Iterator[None]:
    """Imports find what lies in a folder, as they do for a script there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _called(factory: Any, spec: str, arguments: Sequence[str]) -> Any:
    pairs = [named(argument) for argument in arguments]
    in_order = [literal(value, "--arg") for name, value in pairs if name is None]
    by_name = {name: literal(value, "--arg") for name, value in pairs if name is not None}
    if not callable(factory):
        return factory
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return factory(*in_order, **by_name)
    try:
        signature.bind(*in_order, **by_name)
    except TypeError as error:
        raise typer.BadParameter(f"{error}; it is {spec}{signature}", param_hint="--arg") from error
    return factory(*in_order, **by_name)
