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
        # what is computed, or fetched from elsewhere, is read only where something changed
        self._read, self._effective = place.read, place.kind == "effective" or place.outline is not None
        self._chain, self._base, self._revision = chain, base, revision
        self._kept: Tensor | None = None
        self._key: Any = None
        self._of: Tensor | None = None
        self._stamp: Any = None
        self._seen = (-1, -1)

    def tensor(self, stamp: object, gradients: bool) -> Tensor:
        """The bent tensor: the kept one where nothing changed since it was computed.

        Where gradients are wanted it is computed anew, so that its graph is fresh.

        Args:
            stamp: equal to the one of the last call where no bend and no control changed.
            gradients: whether the call records gradients.
        """
        own = None if self._effective else self._read()
        if gradients and self._wants_gradient(own):
            return self._compute(self.place.read() if own is None else own)
        kept = self._kept
        if own is not None and own is self._of and stamp == self._stamp and kept is not None:
            version, pointer = self._seen
            if own._version == version and own.data_ptr() == pointer:
                return kept
        key = (self._sources(own), self._revision())
        if kept is None or self._of is not own or key != self._key:
            with torch.inference_mode(False), torch.no_grad():
                kept = self._kept = self._compute(self.place.read() if own is None else own)
            self._key, self._of = key, own
        self._stamp = stamp
        if own is not None:
            self._seen = own._version, own.data_ptr()
        return kept

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
        self._kept = self._key = self._of = self._stamp = None
        try:
            yield
        finally:
            self._kept, self._key, self._of = before


class BentWeights:
    """All weights of a model that differ from the module's own, swapped in and out as one."""

    def __init__(self, weights: Sequence[BentWeight]) -> None:
        # parts first: an effective weight is computed from the parts that are in place by then
        self._all = sorted(weights, key=lambda w: w.place.kind == "effective")
        self._before: list[tuple[Slot, Any]] = []
        self._installed: list[tuple[BentWeight, Tensor]] = []

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[BentWeight]:
        """Each of them, in the order in which they are computed."""
        return iter(self._all)

    def install(self, stamp: object = None) -> None:
        """Put the bent tensors in place; nothing is left in place when one of them cannot be computed.

        Args:
            stamp: equal to the one of the last call where no bend and no control changed.
        """
        before, installed = self._before, self._installed
        gradients = torch.is_grad_enabled()
        try:
            for weight in self._all:
                tensor = weight.tensor(stamp, gradients)
                place = weight.place
                if place.kind == "buffer":
                    tensor = tensor.clone()  # the model may write into it; such writes end with the call
                installed.append((weight, tensor))
                for slot in place.also:
                    before.append((slot, slot.get()))
                for slot in place.slots:
                    before.append((slot, slot.swap(tensor)))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Put the module's own tensors back."""
        for slot, value in reversed(self._before):
            slot.set(value)
        self._before.clear()
        self._installed.clear()

    def retyped(self) -> list[tuple[str, torch.dtype, torch.dtype]]:
        """The weights in place now whose dtype is not the module's own: name, own dtype, bent dtype."""
        own = {id(slot): value.dtype for slot, value in self._before if isinstance(value, Tensor)}
        return [
            (weight.place.names[0], own[id(slot)], tensor.dtype)
            for weight, tensor in self._installed
            for slot in weight.place.slots[:1]
            if own.get(id(slot), tensor.dtype) != tensor.dtype
        ]

    def tensors(self) -> dict[str, Tensor]:
        """Each tensor that is in place now, by each of its names."""
        return {name: tensor for weight, tensor in self._installed for name in weight.place.names}
