"""What a callback remembers about one site."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["SiteState", "kept"]

T = TypeVar("T")


class SiteState:
    """The memory of one callback at one site.

    The engine makes one for each (callback, site) pair and hands it to the callback in every
    call. It lives as long as the bend and is dropped on reset.

    Args:
        name: the site's name (``"decoder.net.3.weight"``, ``"sin"``).
        kind: ``"weight"``, ``"buffer"`` or ``"activation"``.
        fn: the method that an activation belongs to; None for weights and buffers.

    Attributes:
        channels: the dimension that an activation's channels lie along, where that is known; None: dim 1.
        memory: free for the callback to use; ``once`` keeps what it makes here.
    """

    def __init__(self, name: str, kind: str = "weight", fn: str | None = None) -> None:
        self.name = name
        self.kind = kind
        self.fn = fn
        self.channels: int | None = None
        self.memory: dict[Hashable, Any] = {}
        self._children: dict[Hashable, SiteState] = {}

    @property
    def is_activation(self) -> bool:
        """Whether the site is an activation (and not a weight or a buffer)."""
        return self.kind == "activation"

    @property
    def label(self) -> str:
        """The site as messages name it: ``"encode:sin"`` or ``"decoder.weight"``."""
        return f"{self.fn}:{self.name}" if self.fn else self.name or "(outside of a model)"

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """``memory[key]``, made by ``make()`` the first time.

        ``make`` runs outside of autograd and of inference mode, so that what it makes can be
        used in any later call.
        """
        if key not in self.memory:
            with torch.inference_mode(False), torch.no_grad():
                made = make()
            return self.memory.setdefault(key, made)  # type: ignore[no-any-return]
        return self.memory[key]  # type: ignore[no-any-return]

    def generator(self, seed: int) -> torch.Generator:
        """A new CPU generator seeded from ``seed`` and the site's name.

        The same seed and name give the same draws in every process; torch's global random
        state is neither read nor moved.
        """
        digest = hashlib.sha256(f"{seed}\0{self.name}".encode()).digest()
        generator = torch.Generator(device="cpu")
        generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        return generator

    def child(self, key: Hashable) -> SiteState:
        """The state of a callback wrapped by this one: own memory, same name, kind and fn."""
        state = self._children.get(key)
        if state is None:
            state = self._children.setdefault(key, SiteState(self.name, self.kind, self.fn))
        state.channels = self.channels
        return state

    def clear(self) -> None:
        """Forgets everything, children included."""
        self.memory.clear()
        self._children.clear()

    def __repr__(self) -> str:
        return f"SiteState({self.label!r}, {self.kind!r})"


def kept(x: Tensor) -> Tensor:
    """A copy of ``x`` that can be kept between calls: no graph, no inference mode."""
    with torch.inference_mode(False), torch.no_grad():
        return x.clone()
