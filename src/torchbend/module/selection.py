"""A selection of sites: a value that is looked at first, and then acted on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torchbend.bending.callback import BendingCallback
from torchbend.bending.site import KINDS, Site
from torchbend.bending.sites import closest
from torchbend.bending.statistics import DEAD_BELOW, Statistics
from torchbend.display import SiteRow, Table, sites_html
from torchbend.errors import SiteNotFoundError

if TYPE_CHECKING:
    from torchbend.module.bending import BendHandle
    from torchbend.module.selecting import Selecting

__all__ = ["Selection"]

_SHOWN = 60
"""Rows that a selection shows of itself at a prompt; printing it shows all."""


class Selection(Sequence[Site]):
    """Sites of one bent module, each once: prints, counts, iterates; combines by ``|``, ``&`` and ``-``.

    Made by ``bended.select(...)``; it never changes. An index or a label gives a site, a slice a smaller
    selection.

    Args:
        owner: the bent module.
        sites: the sites, in order; a repeated one is dropped.
    """

    def __init__(self, owner: Selecting, sites: Iterable[Site]) -> None:
        self._owner = owner
        self._sites = tuple({_key(site): site for site in sites}.values())

    # -- a value ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._sites)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return any(item in (site.label, site.name) for site in self._sites)
        return isinstance(item, Site) and _key(item) in {_key(site) for site in self._sites}

    def __getitem__(self, key: int | slice | str) -> Any:
        if isinstance(key, slice):
            return Selection(self._owner, self._sites[key])
        if isinstance(key, str):
            found = [s for s in self._sites if s.label == key] or [s for s in self._sites if s.name == key]
            if not found:
                like = ", ".join(closest(key, self.labels))
                raise SiteNotFoundError(
                    f"{key!r} is not in this selection of {len(self)}",
                    site=key,
                    wanted=f"closest names: {like}" if like else None,
                    next_step="print the selection to see its sites",
                )
            return Selection(self._owner, found).one()
        return self._sites[key]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        same_owner = self._owner is other._owner
        return same_owner and set(map(_key, self._sites)) == set(map(_key, other._sites))

    def __hash__(self) -> int:
        return hash((id(self._owner), frozenset(map(_key, self._sites))))

    def _others(self, other: Selection) -> set[tuple[str, str | None, str]]:
        if other._owner is not self._owner:
            raise SiteNotFoundError(
                "selections of two bent modules cannot be combined",
                wanted="two selections of one bent module",
                next_step="select from the same BendedModule",
            )
        return set(map(_key, other._sites))

    def __or__(self, other: object) -> Selection:
        if not isinstance(other, Selection):
            return NotImplemented
        self._others(other)
        return Selection(self._owner, (*self._sites, *other._sites))

    def __and__(self, other: object) -> Selection:
        if not isinstance(other, Selection):
            return NotImplemented
        kept = self._others(other)
        return self.where(lambda site: _key(site) in kept)

    def __sub__(self, other: object) -> Selection:
        if not isinstance(other, Selection):
            return NotImplemented
        dropped = self._others(other)
        return self.where(lambda site: _key(site) not in dropped)

    @property
    def names(self) -> list[str]:
        """The names of the sites."""
        return [site.name for site in self._sites]

    @property
    def labels(self) -> list[str]:
        """The labels: names of weights and buffers, ``"method:name"`` of activations."""
        return [site.label for site in self._sites]

    def _ipython_key_completions_(self) -> list[str]:
        return self.labels

    # -- narrowing ----------------------------------------------------------------------------------

    def only(self, *kinds: str) -> Selection:
        """The sites of some kinds: ``"weights"``, ``"buffers"``, ``"activations"``.

        Raises:
            SiteNotFoundError: there is no such kind.
        """
        singular = {kind.removesuffix("s") for kind in kinds}
        if not singular or singular - set(KINDS):
            raise SiteNotFoundError(
                "unknown kind of site",
                wanted=", ".join(f"'{kind}s'" for kind in KINDS),
                got=", ".join(map(repr, kinds)) or "none",
            )
        return self.where(lambda site: site.kind in singular)

    def where(self, predicate: Callable[[Site], bool]) -> Selection:
        """The sites for which a function gives true: ``.where(lambda site: "conv" in site.module_path)``."""
        return Selection(self._owner, (site for site in self._sites if predicate(site)))

    def one(self) -> Site:
        """The site of a selection of one.

        Raises:
            SiteNotFoundError: there is none, or there are several.
        """
        if len(self) == 1:
            return self._sites[0]
        shown = ", ".join(self.labels[:6]) + ", ..." * (len(self) > 6)
        raise SiteNotFoundError(
            f"one site is wanted, there were {len(self) or 'none'}",
            wanted="a selection of one",
            got=shown or None,
            next_step="narrow the pattern (end it with $), or take one by its number: selection[0]"
            if self._sites
            else "select with another pattern",
        )

    # -- acting -------------------------------------------------------------------------------------

    def bend(self, callback: BendingCallback) -> BendHandle:
        """Apply a callback to exactly these sites; the bend is part of the recipe like any other.

        Returns:
            A handle that can undo this bend, also as a context manager.

        Raises:
            SiteNotFoundError: the selection is empty, or a method was traced anew and lacks a site.
            CallbackError: the callback cannot bend any of the sites.
        """
        return self._owner._bend_sites(callback, self._filled())

    def capture(self, *inputs: Any, _values: str = "bent", **named_inputs: Any) -> dict[str, Any]:
        """The values of these sites, for one input of the method.

        Args:
            inputs: the method's arguments by position; none are needed for weights alone.
            _values: ``"bent"``, ``"original"``, or ``"both"``: pairs ``(original, bent)``.
            named_inputs: the method's arguments by name.

        Returns:
            Values by name, in order; by label where activations of several methods are selected (each is
            called with the inputs).

        Raises:
            SiteNotFoundError: the selection is empty.
            CaptureError: the arguments do not fit the method.
            ReplayError: this input takes a branch on which an activation does not occur.
        """
        return self._owner._values_of(self._filled(), inputs, named_inputs, _values)

    def stats(
        self,
        inputs: Any = None,
        *,
        dim: int | None = None,
        dead_below: float = DEAD_BELOW,
        progress: bool | None = None,
        **named_inputs: Any,
    ) -> Statistics:
        """Statistics of these sites over inputs; see ``BendedModule.stats``."""
        return self._owner._stats_of(self._filled(), inputs, named_inputs, dim, dead_below, progress)

    def _filled(self) -> Selection:
        if not self._sites:
            raise SiteNotFoundError(
                "the selection is empty",
                wanted="at least one site",
                next_step="select with another pattern; print the selection to see what it holds",
            )
        return self

    # -- display ------------------------------------------------------------------------------------

    def table(self) -> Table:
        """One row for each site: name, kind, method, shape, dtype, module, source, what bends it."""
        marks = self._owner._marks_by_label()
        rows = [
            (
                s.name,
                s.kind,
                s.fn or "",
                _shape(s),
                _dtype(s),
                s.module_path,
                s.source,
                marks.get(s.label, ""),
            )
            for s in self._sites
        ]
        return Table(("name", "kind", "fn", "shape", "dtype", "module", "source", "bent"), rows)

    def _title(self) -> str:
        return f"{len(self)} site{'' if len(self) == 1 else 's'}"

    def __str__(self) -> str:
        return f"{self._title()}\n{self.table().text()}" if self._sites else self._title()

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return str(self)
        shown = self[:_SHOWN].table().text()
        return f"{self._title()}\n{shown}\n... {len(self) - _SHOWN} more: print(selection) shows all"

    def _repr_html_(self) -> str:
        marks = self._owner._marks_by_label()
        rows = [SiteRow(s.label, s.shape, _described(s), marks.get(s.label, "")) for s in self._sites]
        return sites_html(rows)


def _key(site: Site) -> tuple[str, str | None, str]:
    return site.kind, site.fn, site.name


def _shape(site: Site) -> str:
    return "uninitialized" if site.shape is None else str(list(site.shape))


def _dtype(site: Site) -> str:
    return str(site.dtype).removeprefix("torch.")


def _described(site: Site) -> str:
    return f"{site.kind} {_dtype(site)} {site.source}".rstrip()
