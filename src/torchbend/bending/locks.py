"""One lock for all who bend the same module: bent weights of one must not leave as originals of another."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from torch import nn

__all__ = ["ModuleLock", "lock_of"]

_COUNT = itertools.count()
_GUARD = threading.Lock()


class _Numbered:
    """A re-entrant lock with a number: several are always taken in the order of their numbers."""

    def __init__(self) -> None:
        self.number = next(_COUNT)
        self.lock = threading.RLock()


_LOCKS: WeakKeyDictionary[nn.Module, _Numbered] = WeakKeyDictionary()


class ModuleLock:
    """The locks of a module and of all its parts, taken as one. A thread that has it can take it again."""

    def __init__(self, locks: Sequence[_Numbered]) -> None:
        self._locks = [n.lock for n in sorted(locks, key=lambda n: n.number)]

    def acquire(self) -> None:
        """Wait until nobody else has one of them."""
        for lock in self._locks:
            lock.acquire()

    def release(self) -> None:
        """Let the others in."""
        for lock in reversed(self._locks):
            lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()


def lock_of(module: nn.Module) -> ModuleLock:
    """The lock that calls of a bent ``module`` take.

    Whoever wraps the same module, or one that has parts in common with it, gets a lock that excludes
    this one.
    """
    with _GUARD:
        parts = list(module.modules())
        found = {lock.number: lock for part in parts if (lock := _LOCKS.get(part)) is not None}
        missing = [part for part in parts if part not in _LOCKS]
        if missing:
            own = _Numbered()
            found[own.number] = own
            for part in missing:
                _LOCKS[part] = own
    return ModuleLock(list(found.values()))
