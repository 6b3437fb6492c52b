"""Readable names: one word for the same place in every language model.

GPT-2 calls a weight ``transformer.h.3.mlp.c_fc.weight``, Llama ``model.layers.3.mlp.up_proj.weight``. Here
both are ``layer.3.mlp.up.weight``. A name that ends in ``.weight`` or ``.bias`` is a weight; any other is an
activation: what that part of the model gives to the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torchbend.bending.sites import closest, split_method
from torchbend.errors import SiteNotFoundError

__all__ = ["METHOD", "NamedSite", "Names"]

METHOD = "forward"
"""The method of the model whose activations have names."""

_BEGINS = re.compile(r"\W*(layers?\b|embedding|positions|norm\b|head\b)")


@dataclass(frozen=True)
class NamedSite:
    """A place with a readable name.

    Attributes:
        name: the readable one.
        kind: ``"weight"`` or ``"activation"``.
        site: its name in the model: of a weight, or of an activation.
        shape: of the whole site, as it was traced.
        part: the channels that are meant, where it is a part of a site; None: all.
        dim: the dimension of these channels.
    """

    name: str
    kind: str
    site: str
    shape: tuple[int, ...]
    part: tuple[int, ...] | None = None
    dim: int = -1

    @property
    def pattern(self) -> str:
        """The pattern that selects the site and nothing else."""
        exact = f"{re.escape(self.site)}$"
        return exact if self.kind == "weight" else f"{METHOD}:{exact}"


class Names(Mapping[str, NamedSite]):
    """All readable names of a model.

    Args:
        sites: in the order in which they are listed.
    """

    def __init__(self, sites: Iterable[NamedSite] = ()) -> None:
        self._sites = {site.name: site for site in sites}

    def __getitem__(self, name: str) -> NamedSite:
        return self._sites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def meant(self, pattern: object) -> list[NamedSite] | None:
        """The places that a readable pattern means; None where it is a pattern of the model's own names.

        A readable pattern is a regular expression for whole names: ``layer.3.mlp`` is one place,
        ``layer.3.mlp.*`` it and all that is inside. Where it matches a site and its parts, it means the site.

        Raises:
            SiteNotFoundError: it looks like a readable name, and there is none such.
        """
        if not isinstance(pattern, str):
            return None
        method, words = split_method(pattern)
        if not _BEGINS.match(words):
            return None
        try:
            whole = re.compile(rf"(?:{words})\Z")
        except re.error:
            return None
        found = [site for name, site in self._sites.items() if whole.match(name)]
        if method is not None:
            found = [site for site in found if method == METHOD and site.kind == "activation"]
        if not found:
            self._check_known(words)
            return None
        wholes = {(site.kind, site.site) for site in found if site.part is None}
        return [site for site in found if site.part is None or (site.kind, site.site) not in wholes]

    def _check_known(self, words: str) -> None:
        """Tell about a name that is none; what only begins like one may be a name of the model's own."""
        if not re.match(r"\W*layer\\?\.", words):
            return
        like = closest(words, self._sites)
        raise SiteNotFoundError(
            f"no place of this model is called {words!r}",
            site=words,
            wanted=f"closest names: {', '.join(like)}" if like else None,
            next_step="print_sites() lists the names; a readable pattern matches whole names",
        )
