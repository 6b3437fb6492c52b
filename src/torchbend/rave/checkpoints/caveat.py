"""Notes on a loaded model that its sound depends on."""

from __future__ import annotations

__all__ = ["Caveat"]


class Caveat(str):
    """A note on something that a file does not tell, and that was filled in: the sound depends on it."""

    __slots__ = ()
