"""Blocks as nn~ hands them over, and what may come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchbend.export.check.findings import Finding, failure

__all__ = ["FAILURES", "Method", "block", "non_contiguous", "play", "reason", "wrong_output"]

FAILURES = (
    RuntimeError,
    torch.jit.Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
"""What a TorchScript method raises."""


@dataclass(frozen=True)
class Method:
    """A method as nn~ knows it: the four numbers of its ``<name>_params``."""

    name: str
    in_channels: int
    in_ratio: int
    out_channels: int
    out_ratio: int

    @property
    def playable(self) -> bool:
        """Whether there is a channel on each side, and the ratios are powers of two."""
        ratios = (self.in_ratio, self.out_ratio)
        return min(self.in_channels, self.out_channels, *ratios) >= 1 and not any(r & (r - 1) for r in ratios)

    def columns(self, samples: int) -> int:
        """How many samples of the input are left of a block of so many."""
        return samples // self.in_ratio

    def elements(self, samples: int, batch: int) -> int:
        """How many numbers the method owes for a block."""
        return batch * self.out_channels * (samples // self.out_ratio)


def non_contiguous(x: Tensor) -> Tensor:
    """The same numbers, as each second column of a larger tensor.

    Shape:
        - x: ``[batch, channels, samples]``, and so is the result.
    """
    batch, channels, samples = x.shape
    larger = x.new_zeros(batch, channels + 1, 2 * samples)
    taken = larger[:, :channels, 1::2]
    taken.copy_(x)
    return taken


def block(method: Method, samples: int, batch: int = 1, level: float = 0.3) -> Tensor:
    """Noise for one call: of each group of ``in_ratio`` samples, the last one; never contiguous."""
    return non_contiguous(level * torch.randn(batch, method.in_channels, method.columns(samples)))


def play(module: Any, method: Method, x: Tensor) -> Any:
    """What the method returns, called as the host calls it."""
    with torch.inference_mode():
        return getattr(module, method.name)(x)


def wrong_output(method: Method, samples: int, batch: int, out: object) -> Finding | None:
    """What is wrong with an output, if anything is."""
    wanted = f"a float32 tensor of {method.elements(samples, batch)} elements"
    where, part = f"{method.name}()", "blocks"
    if not isinstance(out, Tensor):
        kind = type(out).__name__
        return failure(
            part, where, "it returns no tensor", wanted, f"a {kind}", "return one tensor, no tuple"
        )
    if out.dtype != torch.float32:
        return failure(
            part,
            where,
            "it returns numbers of another kind than float32",
            wanted,
            f"a tensor of {str(out.dtype).removeprefix('torch.')}",
            "convert what it returns: out.to(torch.float32)",
        )
    if out.numel() != method.elements(samples, batch):
        return failure(
            part,
            where,
            "it returns another number of samples than its ratios tell: the host would be silent",
            f"{wanted}: {batch} x {method.out_channels} x {samples} / {method.out_ratio}",
            f"{out.numel()}, of shape {tuple(out.shape)}",
            f"let {method.name}_params tell the ratios that it has",
        )
    if not bool(torch.isfinite(out).all()):
        return failure(
            part, where, "it returns NaN or infinity", "finite numbers", "noise at a level of 0.3 as input"
        )
    return None


def reason(error: BaseException) -> str:
    """The last line of an error, which says what happened; those before it tell where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    said = said.removeprefix("RuntimeError: ").removeprefix("torch.jit.Error: ")
    return f"{type(error).__name__}: {said}"[:400]
