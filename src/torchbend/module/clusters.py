"""Clusters of channels that do the same, as targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks import Cluster
from torchbend.bending.site import Site
from torchbend.display import Table
from torchbend.errors import SiteNotFoundError

if TYPE_CHECKING:
    from torchbend.module.bending import BendHandle
    from torchbend.module.selection import Selection

__all__ = ["Clusters"]

_SHOWN = 16


class Clusters(Sequence[list[int]]):
    """The clusters of similar channels at one site: a list of lists of channels, the largest first.

    Args:
        selection: the site, as a selection of one.
        channels: the channels of each cluster.
        similarity: mean cosine similarity of all pairs in each cluster (``nan`` for a single channel).
        threshold: channels are linked when their similarity is above it.
        channel_count: how many channels the site has.
        dim: the dimension of the channels, or None for the rule of all callbacks.
    """

    def __init__(
        self,
        selection: Selection,
        channels: Sequence[Sequence[int]],
        similarity: Sequence[float],
        threshold: float,
        channel_count: int,
        dim: int | None = None,
    ) -> None:
        self._selection, self._dim = selection, dim
        self._channels = tuple(tuple(group) for group in channels)
        self.similarity = tuple(similarity)
        self.threshold = threshold
        self.channel_count = channel_count

    @property
    def site(self) -> Site:
        """Where the channels are."""
        return self._selection.one()

    @property
    def channels(self) -> list[list[int]]:
        """The channels of each cluster."""
        return [list(group) for group in self._channels]

    def __len__(self) -> int:
        return len(self._channels)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(group) for group in self._channels)

    def __getitem__(self, index: int | slice) -> list[int] | list[list[int]]:  # type: ignore[override]
        if isinstance(index, slice):
            return self.channels[index]
        return list(self._channels[self._checked(index)])

    def bend(self, callback: BendingCallback, which: int | Sequence[int] = 0) -> BendHandle:
        """Apply a callback to the channels of a cluster; the other channels pass.

        Args:
            callback: what to do with them; it sees a tensor that holds only these channels.
            which: the number of the cluster, 0 for the largest; or several numbers, taken together.

        Returns:
            A handle that can undo this bend, also as a context manager.

        Raises:
            SiteNotFoundError: there is no cluster of that number.
            CallbackError: the callback cannot bend this kind of site.
        """
        numbers = [which] if isinstance(which, int) else list(which)
        chosen = sorted({channel for n in numbers for channel in self._channels[self._checked(n)]})
        return self._selection.bend(Cluster(callback, chosen, self._dim))

    def _checked(self, number: int) -> int:
        if not -len(self._channels) <= number < len(self._channels):
            raise SiteNotFoundError(
                f"there is no cluster {number}",
                site=self.site.label,
                wanted=f"0 to {len(self) - 1}"
                if len(self)
                else f"channels more alike than {self.threshold:g}",
                got=number,
                next_step="print the clusters to see them; a lower threshold= finds more",
            )
        return number

    def table(self) -> Table:
        """One row for each cluster: its number, its size, its mean similarity, its channels."""
        rows = []
        for number, group in enumerate(self._channels):
            more = f", ... {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
            rows.append(
                [number, len(group), self.similarity[number], ", ".join(map(str, group[:_SHOWN])) + more]
            )
        return Table(("cluster", "size", "similarity", "channels"), rows)

    def _title(self) -> str:
        together = sum(map(len, self._channels))
        return (
            f"{len(self)} cluster{'' if len(self) == 1 else 's'} of {self.site.label}, "
            f"holding {together} of its {self.channel_count} channels "
            f"(cosine similarity above {self.threshold:g})"
        )

    def __str__(self) -> str:
        return f"{self._title()}\n{self.table().text()}" if len(self) else self._title()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<div>{escape(self._title())}</div>{self.table().html() if len(self) else ''}"
