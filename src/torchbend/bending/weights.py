"""Bent weights: computed once per change, kept beside the originals, swapped in for the time of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.places import Place, Slot

__all__ = ["BentWeight", "BentWeights"]

Chain = Callable[[Tensor], Tensor]


class BentWeight:
    """One weight or buffer that differs from the module's own.

    Args:
        place: where it lives.
        chain: maps the base tensor to the bent one; ``None`` where only the base differs.
        base: gives the tensor of the active version; ``None`` for the module's own.
        revision: gives a value that changes whenever ``chain`` or ``base`` would give another result.
    """

    def __init__(
        self,
        place: Place,
        chain: Chain | None,
        base: Callable[[Tensor], Tensor] | None,
        revision: Callable[[], Any],
    ) -> None:
        self.place = place
        self._chain, self._base, self._revision = chain, base, revision
        self._kept: Tensor | None = None
        self._key: Any = None
        self._of: Tensor | None = None

    def tensor(self) -> Tensor:
        """The bent tensor: the kept one where nothing changed since it was computed.

        Where gradients are wanted it is computed anew, so that its graph is fresh.
        """
        effective = self.place.kind == "effective"
        own = None if effective else self.place.read()
        if torch.is_grad_enabled() and self._wants_gradient(own):
            return self._compute(self.place.read() if own is None else own)
        key = (self._sources(own), self._revision())
        if self._kept is None or self._of is not own or key != self._key:
            with torch.inference_mode(False), torch.no_grad():
                self._kept = self._compute(self.place.read() if own is None else own)
            self._key, self._of = key, own
        return self._kept

    def _wants_gradient(self, own: Tensor | None) -> bool:
        return own.requires_grad if own is not None else any(t.requires_grad for t in self._part_tensors())

    def _part_tensors(self) -> list[Tensor]:
        return [t for t in (slot.get() for slot in self.part_slots) if isinstance(t, Tensor)]

    part_slots: Sequence[Slot] = ()

    def _sources(self, own: Tensor | None) -> Any:
        if own is not None:
            return own._version, own.data_ptr()
        return tuple((id(t), t._version, t.data_ptr()) for t in self._part_tensors())

    def _compute(self, own: Tensor) -> Tensor:
        tensor = own if self._base is None else self._base(own)
        return tensor if self._chain is None else self._chain(tensor)

    @contextmanager
    def afresh(self) -> Iterator[None]:
        """Within it, the next call computes the tensor again; afterwards the kept one is back."""
        before = self._kept, self._key, self._of
        self._kept = self._key = self._of = None
        try:
            yield
        finally:
            self._kept, self._key, self._of = before


class BentWeights:
    """All weights of a model that differ from the module's own, swapped in and out as one."""

    def __init__(self, weights: Sequence[BentWeight]) -> None:
        # parts first: an effective weight is computed from the parts that are in place by then
        self._direct = [w for w in weights if w.place.kind != "effective"]
        self._computed = [w for w in weights if w.place.kind == "effective"]
        self._before: list[tuple[Slot, Any]] = []
        self._installed: list[tuple[BentWeight, Tensor]] = []

    def __len__(self) -> int:
        return len(self._direct) + len(self._computed)

    def __iter__(self) -> Iterator[BentWeight]:
        """Each of them, in the order in which they are computed."""
        return iter((*self._direct, *self._computed))

    def install(self) -> None:
        """Put the bent tensors in place; nothing is left in place when one of them cannot be computed."""
        before = self._before
        try:
            for group in (self._direct, self._computed):
                for weight in group:
                    tensor = weight.tensor()
                    self._installed.append((weight, tensor))
                    for slot in weight.place.also:
                        before.append((slot, slot.get()))
                    for slot in weight.place.slots:
                        before.append((slot, slot.get()))
                        slot.set(tensor if slot.install is None else slot.install(tensor))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Put the module's own tensors back."""
        for slot, value in reversed(self._before):
            slot.set(value)
        self._before.clear()
        self._installed.clear()

    def tensors(self) -> dict[str, Tensor]:
        """Each tensor that is in place now, by each of its names."""
        return {name: tensor for weight, tensor in self._installed for name in weight.place.names}
