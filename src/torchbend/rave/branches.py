"""Parallel ways of a signal, kept in step while streaming."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from torchbend.rave.streaming import Delay, DelayLine, Walk, follow

__all__ = ["Aligned", "Residual"]


class Aligned(nn.Module):
    """Branches that all get the same signal; earlier outputs wait for the latest one.

    Args:
        branches: modules from ``[B, C, T]``.
        channels: of each branch's output.
    """

    def __init__(self, branches: Sequence[nn.Module], channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.lines = nn.ModuleList([DelayLine(size) for size in channels])

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through each branch, and to the line after it."""
        ends = [self.enter(branch, delay, walk) for branch in self.branches]
        latest = max(ends, key=lambda end: end.frames)
        for line, end in zip(self.lines, ends, strict=True):
            walk.line(line, end, int(latest.frames - end.frames))  # type: ignore[arg-type]
        return latest

    def enter(self, branch: nn.Module, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through one branch."""
        return follow(branch, delay, walk)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The output of each branch, in step."""
        return [line(branch(x)) for branch, line in zip(self.branches, self.lines, strict=True)]


class Residual(nn.Module):
    """A unit whose output is added to its input.

    Args:
        unit: from ``[B, C, T]`` to the same shape.
        channels: C.
    """

    def __init__(self, unit: nn.Module, channels: int) -> None:
        super().__init__()
        self.aligned = Aligned([unit, nn.Identity()], [channels, channels])

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the unit and beside it."""
        return self.aligned.follow(delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[B, C, T]`` in and out."""
        unit, _ = self.aligned.branches
        _, line = self.aligned.lines  # the unit's own output is never the earlier one
        total: Tensor = unit(x) + (x if line.cache is None else line(x))
        return total
