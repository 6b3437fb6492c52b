"""Look at activations as the program makes them, and keep none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from torchbend.bending.collect import Collector, Stop
from torchbend.capture import Activation
from torchbend.capture.preserve import Preserved, random_state_kept

__all__ = ["Meter", "state_kept"]


class Meter(Collector):
    """Hands each activation to a function when it exists, and ends the method after the last one.

    Args:
        fn: the method.
        activations: which ones, by name.
        receive: called with the name and the value, bent; the program goes on to use that same tensor.
    """

    def __init__(
        self, fn: str, activations: Mapping[str, Activation], receive: Callable[[str, Tensor], None]
    ) -> None:
        super().__init__(fn, activations, "bent")
        self._receive = receive
        self._seen: set[str] = set()

    def _taking(self, name: str, kind: str) -> Callable[[Tensor], Tensor]:
        def take(x: Tensor) -> Tensor:
            if name not in self._seen:
                self._seen.add(name)
                self._receive(name, x)
                if len(self._seen) == len(self._activations):
                    raise Stop(self)
            return x

        return take


@contextmanager
def state_kept(module: nn.Module) -> Iterator[None]:
    """Put buffers, attributes and the random state back afterwards: who looks changes nothing."""
    before = Preserved(list(module.modules()))
    for buffer in module.buffers():
        before.before_write(buffer)
    with random_state_kept():
        try:
            yield
        finally:
            before.restore()
