"""The models of the workshop: what there is, and opening one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dandb.cache import cache_folder
from dandb.catalogue import ModelPath, Models
from dandb.fetch import cached, fetch
from dandb.opening import opened
from dandb.registry import BUILT_IN, SUFFIXES, Entry, Registry, read_registry
from torchbend.bending.sites import closest
from torchbend.errors import CheckpointError, DownloadError, UnreachableError
from torchbend.module import BendedModule
from torchbend.shipped import model_paths

__all__ = ["download_models", "import_model"]

Path_ = str | os.PathLike[str]


def download_models(
    names: str | Sequence[str] | None = None,
    registry: Path_ | Sequence[Path_] = (),
    *,
    folder: Path_ | None = None,
    progress: bool | None = None,
    quiet: bool = False,
) -> Models:
    """The models of the workshop by name, each with its path; what is not here yet is fetched.

    The models that come with the package are always among them, without a network. Where a model cannot be
    had, another one may stand in for it: one line tells so.

    Args:
        names: only these; all by default.
        registry: JSON files with further models (see `dandb.registry.read_registry`).
        folder: that keeps what is fetched; by default ``models`` in the cache (``$TORCHBEND_CACHE``).
        progress: whether to show bars; None: on a terminal and in a notebook.
        quiet: say nothing of stand-ins, and of addresses that do not answer.

    Returns:
        A dict that prints as a table. `import_model` opens what it holds.

    Raises:
        DownloadError: a registry is wrong, no model has such a name, or what was fetched is not what the
            registry says.

    Example:
        >>> models = download_models(quiet=True)
        >>> models["sax"].name, models["sol_full_nopqmf"].name
        ('sax', 'sax')
    """
    known = _known(registry)
    wanted = _wanted(names, known)
    place = Path(folder) if folder is not None else cache_folder() / "models"
    found = Models(
        {name: ModelPath(path, name, "comes with the package") for name, path in model_paths().items()}
    )
    silent: set[str] = set()
    for entry in known.entries.values():
        if entry.name not in wanted | _asked_of(wanted, known):
            continue
        try:
            path = _had(entry, place, silent, progress)
        except UnreachableError as error:
            found.missing[entry.name] = f"{entry.url}: {error.got}"
            continue
        found[entry.name] = ModelPath(path, entry.name, entry.licence or "fetched")
    for name, other in known.stand_ins.items():
        if name not in found and other in found:
            found[name] = ModelPath(found[other], other, f"{other} stands in for it")
    for name in [name for name in found if name not in wanted]:
        del found[name]
    if not quiet:
        _tell(found)
    return found


def import_model(
    model: Any,
    *,
    registry: Path_ | Sequence[Path_] = (),
    ema: bool = False,
    run_code: bool = False,
) -> BendedModule:
    """A model that can be looked into, bent and played.

    Args:
        model: a path out of `download_models`, or of a RAVE model (a run's folder, a ``.ckpt``, a
            ``.safetensors``, an exported ``.ts``); or the name of a model: ``"sax"``. Or a module of torch.
        registry: where names are looked up too, as of `download_models`.
        ema: take the averaged weights that a run kept.
        run_code: other models than RAVE (TorchScript, ``.pt2``) are programs: open those that you trust.

    Returns:
        A `torchbend.BendedRAVE`, traced; for other models a `torchbend.BendedModule`.

    Raises:
        CheckpointError: there is no such model, or it cannot be opened.
        DownloadError: a registry is wrong, or a model cannot be fetched.

    Example:
        >>> model = import_model("sax")
        >>> model.sample_rate, model.latent_size
        (44100, 128)
    """
    if isinstance(model, str) and not isinstance(model, ModelPath) and not os.path.exists(model):
        return opened(_named(model, registry), ema, run_code)
    return opened(model, ema, run_code)


def _named(name: str, registry: Path_ | Sequence[Path_]) -> str:
    """The path of a model of that name: shipped, of a registry, or fetched before."""
    known = _known(registry)
    if name in {*model_paths(), *known.entries, *known.stand_ins}:
        return download_models(name, registry)[name]
    for suffix in SUFFIXES:
        kept = cache_folder() / "models" / f"{name}{suffix}"
        if os.sep not in name and kept.is_file():
            return str(kept)
    every = [*model_paths(), *known.entries, *known.stand_ins]
    like = closest(name, every) or every
    raise CheckpointError(
        "there is no such model",
        site=name,
        wanted="a path of a model, or one of the names " + ", ".join(like),
        next_step="download_models() lists the models by name",
    )


def _known(registry: Path_ | Sequence[Path_]) -> Registry:
    paths = [registry] if isinstance(registry, str | os.PathLike) else registry
    known = read_registry(BUILT_IN)
    for path in paths:
        known |= read_registry(path)
    taken = [name for name in known.entries if name in model_paths()]
    if taken:
        raise DownloadError(
            "a model that comes with the package has this name", site=taken[0], next_step="choose another one"
        )
    return known


def _wanted(names: str | Sequence[str] | None, known: Registry) -> set[str]:
    every = {*model_paths(), *known.entries, *known.stand_ins}
    if names is None:
        return every
    wanted = {names} if isinstance(names, str) else set(names)
    for name in sorted(wanted - every):
        raise DownloadError(
            "no model has this name",
            site=name,
            wanted="one of: " + ", ".join(sorted(every)),
            next_step="registry=... names a file with further models",
        )
    return wanted


def _asked_of(wanted: set[str], known: Registry) -> set[str]:
    """The models that may have to stand in for wanted ones."""
    return {known.stand_ins[name] for name in wanted if name in known.stand_ins}


def _had(entry: Entry, place: Path, silent: set[str], progress: bool | None) -> Path:
    """The file of an entry; a server that did not answer is not asked again.

    Raises:
        UnreachableError: it does not answer.
    """
    server = entry.url.split("/")[2]
    if server in silent:
        found = cached(entry, place)
        if found is None:
            raise UnreachableError("the address does not answer", site=entry.url, got="no answer")
        return found
    try:
        return fetch(entry, place, progress)
    except UnreachableError:
        if server:
            silent.add(server)
        raise


def _tell(found: Models) -> None:
    """One line for each model that is not the one that was asked for, or not there."""
    for name, reason in found.missing.items():
        instead = "" if name not in found else f"; {found[name].name} stands in for it"
        print(f"{name}: cannot be fetched now ({reason}){instead}")  # noqa: T201  it is meant to tell
    for name, path in found.items():
        if path.name != name and name not in found.missing:
            print(  # noqa: T201  it is meant to tell
                f"{name}: the original has no public address that can be checked; {path.name}, which comes "
                "with the package, stands in for it"
            )
