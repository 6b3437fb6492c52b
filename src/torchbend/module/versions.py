"""Versions: named sets of weights, switched and interpolated without touching the wrapped module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import VersionError
from torchbend.module.core import Core

__all__ = ["Versions"]

DEFAULT = "_default"


def interpolated(own: Tensor, parts: list[tuple[float, Tensor]]) -> Tensor:
    """The weighted sum of ``parts``; integers are rounded and stay integers."""
    if own.is_floating_point() or own.is_complex():
        total = parts[0][1] * parts[0][0]
        for weight, tensor in parts[1:]:
            total = total + tensor * weight
        return total
    exact = sum(
        (tensor.double() * weight for weight, tensor in parts[1:]), parts[0][1].double() * parts[0][0]
    )
    return exact.round().to(own.dtype)


class Versions(Core):
    """The side of a bent module that keeps several sets of weights.

    A version holds only the weights that differ from the module's own.
    """

    _versions: dict[str, dict[str, Tensor]]
    _version: str  # type: ignore[assignment]  # nn.Module has a class attribute of this name, of its state's format
    _mix: dict[str, float] | None

    @property
    def version(self) -> str:
        """Name of the active version; ``"_default"`` is the module's own weights."""
        return self._version

    @version.setter
    def version(self, name: str | None) -> None:
        self._activate(name or DEFAULT, None)

    @version.deleter
    def version(self) -> None:
        self._activate(DEFAULT, None)

    @property
    def versions(self) -> list[str]:
        """Names of all versions, the module's own weights first."""
        return [DEFAULT, *self._versions]

    def create_version(
        self,
        name: str,
        weights: Mapping[str, Tensor] | nn.Module | None = None,
        strict: bool = True,
        force: bool = False,
    ) -> None:
        """Keep a set of weights under a name.

        Args:
            name: of the version.
            weights: a state dict or a module of the same structure; by default the present, bent weights.
            strict: refuse weights that this model lacks, and a set that leaves some out.
            force: replace a version of the same name.

        Raises:
            VersionError: the name is taken, or names or shapes do not fit.
        """
        if name == DEFAULT or (name in self._versions and not force):
            raise VersionError(
                f"a version {name!r} exists",
                site=name,
                next_step="choose another name, or pass force=True"
                if name != DEFAULT
                else "choose another name",
            )
        if weights is None:
            given: dict[str, Tensor] = self._engine.bent_tensors()
            strict = False
        elif isinstance(weights, nn.Module):
            given = dict(weights.state_dict())
        elif isinstance(weights, Mapping) and all(isinstance(t, Tensor) for t in weights.values()):
            given = dict(weights)
        else:
            raise VersionError(
                f"these are no weights for version {name!r}",
                site=name,
                wanted="a state dict (tensors by name) or a module",
                got=type(weights).__name__,
                next_step="pass model.state_dict(), or the model itself",
            )
        self._versions[name] = self._differing(name, given, strict)
        if self._uses(name):
            self._activate(self._version, self._mix)

    def _differing(self, version: str, given: Mapping[str, Tensor], strict: bool) -> dict[str, Tensor]:
        places = self._places()
        own = set(self.module.state_dict())
        unknown = [n for n in given if n not in places]
        missing = [n for n in own if n not in given]
        if strict and (unknown or missing):
            raise VersionError(
                f"the weights of version {version!r} do not fit this model",
                site=version,
                wanted=f"missing: {', '.join(missing[:5])}" if missing else "no unknown weights",
                got=f"unknown: {', '.join(unknown[:5])}" if unknown else None,
                next_step="pass strict=False to take what fits",
            )
        kept: dict[str, Tensor] = {}
        for name, tensor in given.items():
            if name not in places:
                continue
            present = places[name].read()
            if tensor.shape != present.shape:
                raise VersionError(
                    f"a weight of version {version!r} has another shape",
                    site=name,
                    wanted=tuple(present.shape),
                    got=tuple(tensor.shape),
                    next_step="take the weights from a model of the same structure",
                )
            if tensor.dtype != present.dtype or not torch.equal(tensor.to(present.device), present):
                kept[name] = tensor.detach().to(present.device).clone()
        return kept

    def write(
        self,
        version: str | None = None,
        force: bool = False,
        deep: bool = False,
        clear: bool = True,
        into_module: bool = False,
    ) -> None:
        """Make the present bent weights a version of their own.

        Args:
            version: its name; by default the active version, if that is a named one.
            force: replace a version of the same name.
            deep: hold every weight in the version, not only those that differ.
            clear: undo the bends of weights afterwards, since the version contains them, and activate it.
            into_module: write into the wrapped module itself instead. This cannot be undone.

        Raises:
            VersionError: no name was given, or it is taken.
        """
        bent = self._engine.bent_tensors()
        if into_module:
            self._write_into_module(bent)
        else:
            name = version or (self._version if self._version != DEFAULT else None)
            if name is None:
                raise VersionError(
                    "the module's own weights are not written over",
                    wanted="the name of a version",
                    next_step="write('name') makes a version; write(into_module=True) changes the module",
                )
            replace = force or version is None
            if name in self._versions and not replace:
                raise VersionError(f"a version {name!r} exists", site=name, next_step="pass force=True")
            places = self._places()
            everything = {n: p.read().detach().clone() for n, p in places.weights.items()} if deep else {}
            kept = {**everything, **{n: t.clone() for n, t in bent.items()}}
            self._versions[name] = kept
            if clear or self._uses(name):
                self._activate(name, None)
        if clear:
            for bend in self._engine.bends:
                bend.weights = []
            self._engine.bends[:] = [b for b in self._engine.bends if b.activations]
            self._engine.changed()

    def _write_into_module(self, bent: Mapping[str, Tensor]) -> None:
        places = self._places()
        computed = [n for n in bent if places[n].kind == "effective"]
        if computed:
            raise VersionError(
                "a weight that is computed from parts cannot be written back into them",
                site=computed[0],
                wanted=f"bends of its parts: {', '.join(places[computed[0]].parts)}",
                next_step="keep it as a version: write('name')",
            )
        changed_type = [n for n, t in bent.items() if t.dtype != places[n].read().dtype]
        if changed_type:
            raise VersionError(
                "a bent weight has another dtype than the module's own",
                site=changed_type[0],
                wanted=places[changed_type[0]].read().dtype,
                got=bent[changed_type[0]].dtype,
                next_step="keep it as a version: write('name')",
            )
        with torch.no_grad():
            for name, tensor in bent.items():
                places[name].read().copy_(tensor)
        self._activate(DEFAULT, None)

    def remove_version(self, name: str) -> None:
        """Forget a version; the module's own weights become active if it was in use."""
        self._known(name)
        if self._uses(name):
            self._activate(DEFAULT, None)
        self._versions.pop(name, None)

    # -- switching ----------------------------------------------------------------------------------

    @contextmanager
    def _undone(self, version: str, mix: dict[str, float] | None) -> Iterator[None]:
        try:
            yield
        finally:
            self._activate(version, mix)

    def set_version(self, version: str | None = None) -> Any:
        """Make a version the active one; as ``with bended.set_version(...):`` for a while only.

        Raises:
            VersionError: there is no version of that name.
        """
        before = self._version, self._mix
        self._activate(version or DEFAULT, None)
        return self._undone(*before)

    def interpolate(self, default: float = 0.0, *, normalize: bool = False, **weights: float) -> Any:
        """Use a weighted sum of versions: ``interpolate(0.3, bright=0.7)``; with ``with`` for a while only.

        Args:
            default: weight of the module's own weights.
            normalize: divide by the sum of the weights.
            weights: weight of each version, used as given: any numbers, their sum may be 0.

        Raises:
            VersionError: there is no version of that name, or the sum to divide by is 0.

        Example:
            >>> import torch, torchbend as tb
            >>> bended = tb.BendedModule(torch.nn.Linear(1, 1, bias=False))
            >>> bended.create_version("zero", {"weight": torch.zeros(1, 1)})
            >>> x = torch.ones(1, 1)
            >>> plain = bended(x)
            >>> with bended.interpolate(0.25, zero=0.75):
            ...     torch.equal(bended(x), 0.25 * plain)
            True
        """
        before = self._version, self._mix
        self.set_interpolation_weights(default, normalize=normalize, **weights)
        return self._undone(*before)

    def set_interpolation_weights(
        self, default: float = 0.0, *, normalize: bool = False, **weights: float
    ) -> None:
        """Like `interpolate`, until `remove_interpolation_weights`."""
        given = {DEFAULT: default, **weights}
        wrong = [name for name, weight in given.items() if not isinstance(weight, (int, float))]
        if wrong:
            raise VersionError(
                "the weight of a version is a number",
                site=wrong[0],
                wanted="a number",
                got=repr(given[wrong[0]]),
                next_step=f"interpolate({wrong[0]}=0.5)",
            )
        mix = {name: float(weight) for name, weight in given.items()}
        total = sum(mix.values())
        if normalize:
            if total == 0:
                raise VersionError("the weights add up to 0 and cannot be normalised", got=mix)
            mix = {name: weight / total for name, weight in mix.items()}
        self._activate(self._version, mix)

    def remove_interpolation_weights(self) -> None:
        """Go back to the active version."""
        self._activate(self._version, None)

    def _known(self, name: str) -> dict[str, Tensor]:
        if name == DEFAULT:
            return {}
        if name not in self._versions:
            raise VersionError(
                f"there is no version {name!r}",
                site=name,
                wanted=f"one of: {', '.join(self.versions)}",
                next_step="create_version(name, ...) or write(name) make one",
            )
        return self._versions[name]

    def _uses(self, name: str) -> bool:
        return name == self._version or name in (self._mix or {})

    def _activate(self, version: str, mix: dict[str, float] | None) -> None:
        if mix is None:
            bases: dict[str, Callable[[Tensor], Tensor]] = {
                n: partial(_held, t) for n, t in self._known(version).items()
            }
        else:
            bases = self._mixed(mix)
        with self._engine.lock:
            self._version, self._mix = version, mix
            self._engine.bases.clear()
            self._engine.bases.update(bases)
            self._engine.changed()

    def _mixed(self, mix: Mapping[str, float]) -> dict[str, Callable[[Tensor], Tensor]]:
        held = {name: self._known(name) for name in mix}
        differing = {n for version in held.values() for n in version}
        if sum(mix.values()) != 1.0:
            differing |= {n for n, p in self._places().weights.items() if p.kind == "weight"}
        used = [(w, held[version]) for version, w in mix.items() if w != 0.0]
        return {n: partial(_mixed, [(w, tensors.get(n)) for w, tensors in used]) for n in differing}

    # -- as dicts -----------------------------------------------------------------------------------

    def state_dict(
        self, *args: Any, version: str | None = None, with_versions: bool = False, **kwargs: Any
    ) -> Any:
        """The weights and buffers under the module's own names.

        Args:
            version: of this version; by default of the active one.
            with_versions: a dict of state dicts, by the names of the versions.
        """
        if "destination" in kwargs or len(args) > 1:  # as a part of another module's state
            return super().state_dict(*args, **kwargs)
        if args and isinstance(args[0], str):
            version = args[0]
        if with_versions:
            return {name: self.state_dict(version=name, **kwargs) for name in self.versions}
        held = self._known(version or self._version)
        return {**self.module.state_dict(**kwargs), **{n: t for n, t in held.items() if n in self._stated()}}

    def bended_state_dict(self, version: str | None = None) -> dict[str, Tensor]:
        """The state dict with all bends of weights applied."""
        with self._engine.lock, self._during(version):
            bent = self._engine.bent_tensors()
        own = self.module.state_dict()
        return {**own, **{n: t for n, t in bent.items() if n in own}}

    def _during(self, version: str | None) -> Any:
        """A context in which a version is the active one; None: the one that is."""
        return nullcontext() if version is None else self.set_version(version)

    def _stated(self) -> set[str]:
        return set(self.module.state_dict())


# Partials of these give the weights of a version: unlike closures they can be copied and pickled.
def _held(tensor: Tensor, own: Tensor) -> Tensor:
    return tensor


def _mixed(parts: list[tuple[float, Tensor | None]], own: Tensor) -> Tensor:
    if not parts:
        return torch.zeros_like(own)
    return interpolated(own, [(w, own if t is None else t) for w, t in parts])
