"""What bends each site, in words, for tables and pages."""

from __future__ import annotations

from collections.abc import Iterable

from torchbend.bending.bends import AppliedBend
from torchbend.bending.places import Places

__all__ = ["bend_marks"]


def bend_marks(bends: Iterable[AppliedBend], places: Places) -> dict[str, str]:
    """The callbacks of each bent site in the order in which they apply, by the site's label.

    A tied weight is marked under each of its names.
    """
    marks: dict[str, list[str]] = {}
    for bend in bends:
        names = [n for name in bend.weights for n in (places[name].names if name in places else [name])]
        for key in dict.fromkeys([*names, *(f"{fn}:{name}" for fn, name in bend.activations)]):
            marks.setdefault(key, []).append(repr(bend.callback))
    return {label: ", ".join(by) for label, by in marks.items()}
