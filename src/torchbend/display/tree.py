"""The folded tree of a module's weights, and lists of sites, as HTML that needs no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple, TypeAlias

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torchbend.display.histogram import histogram_svg
from torchbend.display.tree_contents import (
    COMPUTED,
    children,
    class_name,
    count,
    structure,
    tensor_names,
    tensors,
)
from torchbend.display.tree_style import COPY_SCRIPT, STYLE

__all__ = ["SiteRow", "module_tree_html", "sites_html"]


class SiteRow(NamedTuple):
    """One site of a list.

    Args:
        name: its name.
        shape: its shape, or ``None`` where it is not known.
        kind: ``"weight"``, ``"buffer"``, ``"activation"``, or any other word to show.
        bent: what bends it, or an empty string.
    """

    name: str
    shape: Sequence[int] | None = None
    kind: str = ""
    bent: str = ""


def module_tree_html(
    module: nn.Module,
    *,
    bent: Mapping[str, str] | None = None,
    activations: Iterable[tuple[str, SiteRow]] = (),
    title: str | None = None,
    max_weights: int = 400,
) -> str:
    """A folded tree of modules, their weights and buffers, with what is bent marked.

    Static HTML: works offline, in a saved notebook and without JavaScript; a click on a name copies its
    dotted path. Neighbours of the same structure (the layers of a transformer) are shown once and counted,
    unless they are bent in different ways. Histograms are drawn from a few thousand values of each weight.

    Args:
        module: any module.
        bent: names of weights and buffers, to what bends them, in words.
        activations: bent activations, each behind the path of the module in whose code it is made.
        title: a heading; the module's class name by default.
        max_weights: how many weights are listed at most, bent ones apart, which always are; 0 or more.

    Returns:
        One ``<div>`` with its own style.
    """
    tree = _Tree(dict(bent or {}), list(activations), max_weights)
    body = tree.branch(module, "", title or class_name(module), is_open=True)
    others = [SiteRow(name, bent=by) for name, by in tree.bent.items() if name not in tree.names]
    others += [row for path, row in tree.activations if path not in tree.drawn]
    if others:
        body += f'<div class="tb-note">bent elsewhere</div>{_list(others)}'
    if tree.left_out:
        body += f'<div class="tb-note">{tree.left_out} more weights are not listed here</div>'
    return f'{STYLE}<div class="tb-tree">{body}</div>{COPY_SCRIPT}'


def sites_html(sites: Iterable[SiteRow], title: str = "", max_sites: int = 500) -> str:
    """A list of sites with their shapes and what bends them.

    Args:
        sites: the sites, in the order to show.
        title: a heading; the number of sites by default.
        max_sites: how many are listed at most; the rest are counted.

    Returns:
        One ``<div>`` with its own style.
    """
    listed = [SiteRow(*site) for site in sites]
    heading = title or f"{len(listed)} site{'' if len(listed) == 1 else 's'}"
    lines = _list(listed[:max_sites])
    if len(listed) > max_sites:
        lines += f'<div class="tb-note">{len(listed) - max_sites} more</div>'
    head = f'<div class="tb-title">{escape(heading)}</div>'
    return f'{STYLE}<div class="tb-tree">{head}{lines}</div>{COPY_SCRIPT}'


_Child: TypeAlias = tuple[str, nn.Module]

_UNFOLDED = 12
"""A module with at most so many bends inside is shown unfolded."""


@dataclass
class _Tree:
    """What has been drawn so far."""

    bent: Mapping[str, str]
    activations: list[tuple[str, SiteRow]]
    room: int
    inside: dict[str, dict[str, str]] = field(init=False)
    left_out: int = 0
    names: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    modules: dict[int, str] = field(default_factory=dict)
    tensors: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = {name: (*name.split("."),) for name in self.bent}
        labels = {row.name: (*(path.split(".") if path else ()), row.name) for path, row in self.activations}
        marks = {**self.bent, **{row.name: row.bent for _, row in self.activations}}
        self.inside = _by_module({name: (at, marks[name]) for name, at in {**names, **labels}.items()})

    def branch(self, module: nn.Module, path: str, label: str, is_open: bool = False) -> str:
        """One module: a line that unfolds to its weights and the modules inside it."""
        if id(module) in self.modules:
            return _note(f"{label}: the same module as {self.modules[id(module)] or 'the root'}")
        self.modules[id(module)] = path
        self.drawn.add(path)
        inside = "".join(self.weight(name, tensor, kind, path) for name, tensor, kind in tensors(module))
        inside += "".join(_activation_line(row) for at, row in self.activations if at == path)
        for first, rest in self.runs(list(children(module)), path):
            here = _join(path, first[0])
            is_bent = 0 < len(self.bends_inside(here)) <= _UNFOLDED
            inside += self.branch(first[1], here, first[0], is_open=is_bent)
            if rest:
                inside += self.repeated(first, rest, path)
        summary = f"{_name(path, label)} {_class_of(module, label)} {_size(module)}{self.marks(path)}"
        if not inside:
            return f'<div class="tb-note">{summary}</div>'
        return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{inside}</details>"

    def weight(self, name: str, tensor: Tensor | None, kind: str, path: str) -> str:
        """One line of a weight or buffer; empty when the room is used up."""
        full = _join(path, name)
        self.names.add(full)
        by = self.bent.get(full)
        if by is None and self.room <= 0:
            self.left_out += 1
            return ""
        self.room -= 1
        # What is computed is a new tensor each time, which nothing else can be the same as.
        is_own = tensor is not None and kind != COMPUTED
        first = self.tensors.setdefault(id(tensor), full) if is_own else full
        if first != full:
            picture = f"<span>= {escape(first)}</span>"
        else:
            picture = histogram_svg(tensor) if tensor is not None and self.room >= 0 else ""
        shape = "" if tensor is None else "uninitialized" if is_lazy(tensor) else str(list(tensor.shape))
        dtype = "" if tensor is None else str(tensor.dtype).removeprefix("torch.")
        label = name.removeprefix("parametrizations.")
        note = _bent_mark(by) if by is not None else f'<span class="tb-dim">{kind}</span>'
        return (
            f'<div class="tb-weight">{_name(full, label)}<span>{shape}</span>'
            f'<span class="tb-dim">{dtype}</span>{picture or "<span></span>"}{note}</div>'
        )

    def runs(self, children: list[_Child], path: str) -> Iterator[tuple[_Child, list[_Child]]]:
        """Each child, with the neighbours after it that look the same and are bent alike."""
        looks = [(structure(child), self.bends_inside(_join(path, name))) for name, child in children]

        def foldable(index: int) -> bool:
            # Only numbered layers: names such as `query` and `key` say more than their shapes do.
            return bool(looks[index][0]) and children[index][0].isdigit()

        index = 0
        while index < len(children):
            end = index + 1
            while end < len(children) and foldable(end) and looks[end] == looks[index]:
                end += 1
            # Two of a kind are quicker read than a remark on them.
            if end - index > 2:
                yield children[index], children[index + 1 : end]
            else:
                yield from ((child, []) for child in children[index:end])
            index = end

    def repeated(self, first: _Child, rest: list[_Child], path: str) -> str:
        """The line that stands for neighbours which look like ``first``."""
        for name, child in rest:
            here = _join(path, name)
            self.names.update(_join(here, inner) for inner in tensor_names(child))
        alike = ", bent alike" if self.bends_inside(_join(path, first[0])) else ""
        names = f"{rest[0][0]} \N{HORIZONTAL ELLIPSIS} {rest[-1][0]}"
        kind = f"{class_name(first[1])}, {count(first[1])} each{alike}"
        return _note(f"{names}: {len(rest)} more like {first[0]} ({kind})")

    def bends_inside(self, path: str) -> dict[str, str]:
        """What bends the weights in the module at ``path``, by their names below it."""
        return self.inside.get(path, {})

    def marks(self, path: str) -> str:
        """How many bends lie in the module at ``path``, as a mark behind its name."""
        number = len(self.bends_inside(path))
        return f' <span class="tb-bent">\N{BLACK CIRCLE} {number} bent</span>' if number else ""


def _by_module(bent: Mapping[str, tuple[tuple[str, ...], str]]) -> dict[str, dict[str, str]]:
    """For each module path that leads to a bend: the bends inside, by their names from there on."""
    found: dict[str, dict[str, str]] = {}
    for parts, by in bent.values():
        for depth in range(len(parts)):
            found.setdefault(".".join(parts[:depth]), {})[".".join(parts[depth:])] = by
    return found


def _size(module: nn.Module) -> str:
    words = count(module)
    return "" if words.startswith("0 ") else f'<span class="tb-dim">{words}</span>'


def _class_of(module: nn.Module, label: str) -> str:
    name = class_name(module)
    return "" if name == label else f'<span class="tb-class">{escape(name)}</span>'


def _name(path: str, label: str) -> str:
    shown = escape(label)
    if not path:
        return f"<b>{shown}</b>"
    full = escape(path, quote=True)
    return f'<button type="button" data-tb-path="{full}" title="{full}">{shown}</button>'


def _bent_mark(by: str) -> str:
    return f'<span class="tb-bent">\N{BLACK CIRCLE} {escape(by) or "bent"}</span>'


def _list(sites: Iterable[SiteRow]) -> str:
    return f'<div class="tb-list">{"".join(map(_site_line, sites))}</div>'


def _site_line(site: SiteRow) -> str:
    mark = _bent_mark(site.bent) if site.bent else "<span></span>"
    return (
        f'<div class="tb-weight">{_name(site.name, site.name)}<span>{_shape(site)}</span>'
        f'<span class="tb-dim">{escape(site.kind)}</span><span></span>{mark}</div>'
    )


def _activation_line(site: SiteRow) -> str:
    kind = escape(site.kind or "activation")
    return (
        f'<div class="tb-weight">{_name(site.name, site.name)}<span>{_shape(site)}</span>'
        f'<span class="tb-dim">{kind}</span><span></span>{_bent_mark(site.bent)}</div>'
    )


def _shape(site: SiteRow) -> str:
    return "" if site.shape is None else str([int(size) for size in site.shape])


def _note(text: str) -> str:
    return f'<div class="tb-note">{escape(text)}</div>'


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
