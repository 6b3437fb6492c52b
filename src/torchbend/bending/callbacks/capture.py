"""Capture: record the activations that pass."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site_state import SiteState, kept
from torchbend.errors import CallbackError

__all__ = ["Capture"]


class Capture(BendingCallback):
    """Lets activations through, and records them between ``capture()`` and ``stop()``.

    What is recorded belongs to the callback, not to the bend: it stays after a reset.

    Shape: any, kept; recordings of one site are concatenated along dim 0.
    """

    weight_compatible = False
    jit_compatible = False
    nntilde_compatible = False
    writes_in_place = False

    def __init__(self) -> None:
        super().__init__()
        self.capturing = False
        self._recorded: dict[str, list[Tensor]] = {}

    def capture(self) -> None:
        """Starts recording; what was recorded before stays."""
        self.capturing = True

    def stop(self) -> None:
        """Stops recording."""
        self.capturing = False

    def clear(self) -> None:
        """Forgets all recordings."""
        self._recorded.clear()

    @property
    def captures(self) -> dict[str, Tensor]:
        """The recordings by site (``"forward:sin"``), each concatenated along dim 0."""
        return {name: self.get_capture(name) for name in self._recorded}

    def get_capture(self, name: str) -> Tensor:
        """The recording of one site, ``"forward:sin"``, or ``"sin"`` if only one method has it.

        Raises:
            CallbackError: nothing was recorded there, or its recordings do not fit together.
        """
        label = self._label(name)
        parts = self._recorded[label]
        shapes = {tuple(p.shape[1:]) for p in parts}
        if len(shapes) > 1:
            raise CallbackError(
                "the recordings of one site differ in more than the batch",
                site=label,
                wanted="one shape after dim 0",
                got=", ".join(map(str, sorted(shapes))),
                next_step="record inputs of one length, or call clear() in between",
            )
        if len(parts) > 1:
            self._recorded[label] = parts = [torch.cat(parts)]
        return parts[0]

    def n_captures(self, name: str) -> int:
        """How many items (along dim 0) were recorded at a site."""
        return int(self.get_capture(name).shape[0])

    def _label(self, name: str) -> str:
        found = [k for k in self._recorded if k == name or k.partition(":")[2] == name]
        if len(found) != 1:
            raise CallbackError(
                f"{len(found) or 'no'} recordings of this name",
                site=name,
                wanted=", ".join(self._recorded) or "a recorded site",
                got=name,
                next_step='name the method too ("encode:sin")'
                if found
                else "bend the site with this callback, and run the model between capture() and stop()",
            )
        return found[0]

    def _record(self, x: Tensor, site: SiteState) -> None:
        item = kept(x)
        self._recorded.setdefault(site.label, []).append(item if item.dim() else item.reshape(1))

    def bend(self, x: Tensor, site: SiteState) -> Tensor:
        """``x`` itself, recorded if recording is on."""
        if self.capturing:
            self._record(x, site)
        return x
