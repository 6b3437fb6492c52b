"""Statistics of a site over any number of inputs, in one pass over each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from torchbend.bending.site import Site, channel_axis
from torchbend.display import Table
from torchbend.errors import ShapeError, SiteNotFoundError, TorchbendError

__all__ = ["DEAD_BELOW", "Accumulator", "SiteStatistics", "Statistics"]

DEAD_BELOW = 1e-6
"""A channel none of whose values is further from zero than this is dead."""

_CHUNK = 1 << 20
"""Elements that are converted to double precision at a time."""


@dataclass(frozen=True)
class SiteStatistics:
    """What was measured at one site, over all inputs.

    Attributes:
        site: where.
        inputs: in how many inputs the site occurred; None for a weight, which needs none.
        elements: how many values there were.
        channels: how many channels (the most that one input had).
        min, max, mean, std: of the finite values; the standard deviation divides by n - 1. ``nan`` where
            there is none.
        dead: share of the channels that are (almost) zero in every input, 0 to 1.
        non_finite: share of the values that are NaN or infinite, 0 to 1.
    """

    site: Site
    inputs: int | None
    elements: int
    channels: int
    min: float
    max: float
    mean: float
    std: float
    dead: float
    non_finite: float


class Accumulator:
    """Gathers the statistics of one site, tensor by tensor; holds numbers only, and one value per channel.

    Chunks are united as by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances" (1979), equation 2.1: the squares of two sets add up, plus the distance of
    their means. All sums are in double precision.

    Args:
        site: whose values they are.
        dim: the dimension of the channels; None: dim 1 of an activation (dim 0 of a 1-D one), dim 0 of a
            weight.
        dead_below: a channel none of whose values is further from zero is dead.

    >>> import torch
    >>> site = Site("relu", "activation", "forward", torch.Size([1, 2]), torch.float32, "")
    >>> found = Accumulator(site)
    >>> found.add(torch.tensor([[0.0, 1.0]]))
    >>> found.add(torch.tensor([[0.0, 2.0], [0.0, 5.0]]))
    >>> result = found.result()
    >>> result.inputs, result.max, result.dead
    (2, 5.0, 0.5)
    """

    def __init__(self, site: Site, dim: int | None = None, dead_below: float = DEAD_BELOW) -> None:
        self.site, self.dim, self.dead_below = site, dim, dead_below
        self._inputs = self._elements = self._finite = 0
        self._min, self._max = math.inf, -math.inf
        self._mean = self._square = 0.0
        self._peaks = torch.zeros(0, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Take the values of one more tensor, of any shape and type; nothing of it is kept.

        Raises:
            ShapeError: the tensor does not have the dimension ``dim``.
        """
        self._inputs += 1
        with torch.no_grad():
            x = _real(x.detach())
            axis = self._axis(x)
            if x.is_meta or x.numel() == 0:
                return
            self._elements += x.numel()
            self._add_peaks(x, axis)
            for chunk in torch.split(x.reshape(-1), _CHUNK):
                self._add_values(chunk)

    def _axis(self, x: Tensor) -> int | None:
        if self.dim is None:
            return channel_axis(x.dim(), self.site.is_activation)
        if not -x.dim() <= self.dim < x.dim():
            raise ShapeError(
                "the channels cannot lie along a dimension that does not exist",
                site=self.site.label,
                wanted=f"dim in [{-x.dim()}, {x.dim() - 1}], for the shape {tuple(x.shape)}",
                got=f"dim={self.dim}",
                next_step="give another dim=, or a narrower pattern",
            )
        return self.dim % x.dim()

    def _add_peaks(self, x: Tensor, axis: int | None) -> None:
        """The largest distance from zero in each channel so far; NaN where there is one."""
        others = [d for d in range(x.dim()) if d != axis]
        high, low = (x.amax(others), x.amin(others)) if others else (x, x)
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        peaks = torch.maximum(high.to(wide).abs(), low.to(wide).abs()).reshape(-1).cpu().double()
        if peaks.numel() < self._peaks.numel():
            peaks, self._peaks = self._peaks, peaks
        grown = peaks.clone()
        grown[: self._peaks.numel()] = torch.maximum(peaks[: self._peaks.numel()], self._peaks)
        self._peaks = grown

    def _add_values(self, chunk: Tensor) -> None:
        values = chunk.to(torch.float32 if chunk.device.type == "mps" else torch.float64)
        finite = values.isfinite()
        if not bool(finite.all()):
            values = values[finite]
        count = values.numel()
        if not count:
            return
        low, high = torch.aminmax(values)
        mean = values.mean()
        distance = values - mean
        numbers = torch.stack((low, high, mean, distance.dot(distance))).tolist()
        self._min, self._max = min(self._min, numbers[0]), max(self._max, numbers[1])
        delta, total = numbers[2] - self._mean, self._finite + count
        self._square += numbers[3] + delta * delta * self._finite * count / total
        self._mean += delta * count / total
        self._finite = total

    def result(self) -> SiteStatistics:
        """The statistics of all that was added so far."""
        channels = self._peaks.numel()
        some = self._finite > 0
        std = math.sqrt(self._square / (self._finite - 1)) if self._finite > 1 else math.nan
        constant = some and self._min == self._max
        return SiteStatistics(
            site=self.site,
            inputs=self._inputs if self.site.is_activation else None,
            elements=self._elements,
            channels=channels,
            min=self._min if some else math.nan,
            max=self._max if some else math.nan,
            # Without this, rounding would give a constant a tiny deviation.
            mean=self._min if constant else self._mean if some else math.nan,
            std=0.0 if constant and self._finite > 1 else std,
            dead=int((self._peaks <= self.dead_below).sum()) / channels if channels else math.nan,
            non_finite=1 - self._finite / self._elements if self._elements else math.nan,
        )


def _real(x: Tensor) -> Tensor:
    """A plain tensor of real numbers: the modulus of complex ones."""
    if x.is_quantized:
        x = x.dequantize()
    elif x.layout != torch.strided:
        x = x.to_dense()
    if x.is_complex():
        return x.abs()
    return x.float() if x.is_floating_point() and x.itemsize == 1 else x


@dataclass(frozen=True, repr=False)
class Statistics(Sequence[SiteStatistics]):
    """Statistics of several sites: prints as a table; its items are the numbers.

    Attributes:
        rows: one for each site.
        dead_below: the tolerance: a channel none of whose values is further from zero is dead.
    """

    rows: tuple[SiteStatistics, ...]
    dead_below: float = DEAD_BELOW

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SiteStatistics]:
        return iter(self.rows)

    def __getitem__(self, key: int | slice | str) -> SiteStatistics | Statistics:  # type: ignore[override]
        """A row by its number, or by the name or label of its site; a slice is a smaller table.

        Raises:
            SiteNotFoundError: no row is of that name, or several are.
        """
        if isinstance(key, slice):
            return Statistics(self.rows[key], self.dead_below)
        if isinstance(key, int):
            return self.rows[key]
        found = [r for r in self.rows if r.site.label == key] or [r for r in self.rows if r.site.name == key]
        if len(found) != 1:
            labels = [r.site.label for r in found or self.rows]
            raise SiteNotFoundError(
                f"{key!r} names {len(found) or 'none'} of these {len(self.rows)} sites",
                site=key,
                wanted=f"one of: {', '.join(labels[:8])}",
                next_step="use the label, such as 'encode:add_4'",
            )
        return found[0]

    def sorted(self, by: str, descending: bool = True) -> Statistics:
        """The same rows ordered by a column: ``sorted("dead")`` puts the deadest first; ``nan`` comes last.

        Raises:
            TorchbendError: there is no such column of numbers.
        """
        columns = [f.name for f in fields(SiteStatistics)][1:]
        if by not in columns:
            raise TorchbendError("unknown column", wanted=f"one of: {', '.join(columns)}", got=repr(by))

        def place(row: SiteStatistics) -> tuple[bool, float]:
            value = getattr(row, by)
            if value is None or math.isnan(value):
                return True, 0.0
            return False, -value if descending else value

        return Statistics(tuple(sorted(self.rows, key=place)), self.dead_below)

    def table(self) -> Table:
        """The numbers as a table that can be printed, shown and written to a file."""
        columns = (
            "site",
            "inputs",
            "elements",
            "channels",
            "min",
            "max",
            "mean",
            "std",
            "dead",
            "non_finite",
        )
        rows = []
        for row in self.rows:
            numbers = [getattr(row, column) for column in columns[1:-2]]
            rows.append([row.site.label, *numbers, _percent(row.dead), _percent(row.non_finite)])
        return Table(columns, rows)

    def __str__(self) -> str:
        note = f"dead: channels that stay within {self.dead_below:g} of zero"
        return f"{self.table().text()}\n{note}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        note = f"dead: channels that stay within {self.dead_below:g} of zero"
        return f"{self.table().html()}<small>{note}</small>"


def _percent(share: float) -> str:
    if math.isnan(share):
        return "nan"
    # A small share is not rounded down to none.
    return f"{100 * share:.3g} %"
