"""From a model's parts and its traced call to readable names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from torchbend.capture import Activation, Capture
from torchbend.display import Table
from torchbend.interfaces.language.anatomy import Anatomy, Layer
from torchbend.interfaces.language.names import METHOD, NamedSite, Names

__all__ = ["channels", "named_sites", "sites_table"]

_THIRDS = ("query", "key", "value")


def named_sites(model: nn.Module, parts: Anatomy, capture: Capture | None) -> Names:
    """All readable names.

    Args:
        model: the language model.
        parts: where its parts are.
        capture: of a call with three or more tokens; None: only weights have names.
    """
    traced = [] if capture is None else [a for a in capture.activations.values() if a.address is not None]
    return Names(_Namer(model, parts, traced).all())


def channels(names: Names, capture: Capture) -> dict[tuple[str, str], int]:
    """The dimension of the channels of each activation: the last one, but heads where there are heads."""
    found = {(METHOD, name): -1 for name in capture.activations}
    for site in names.values():
        if site.kind == "activation" and site.name.endswith((".heads", ".map")):
            found[METHOD, site.site] = 2 if site.name.endswith(".heads") else 1
    return found


def sites_table(names: Names, chosen: Sequence[NamedSite] | None = None) -> Table:
    """Readable names beside those of the model; layers that are alike are listed once, as ``layer.N``."""
    rows = []
    if chosen is None:
        count = len({name.split(".")[1] for name in names if name.startswith("layer.")})
        for site in names.values():
            if site.part is not None and ".head." in site.name:
                continue
            if site.name.startswith("layer.0"):
                rows.append(_row(site, f"layer.N{site.name[7:]}"))
            elif not site.name.startswith("layer."):
                rows.append(_row(site, site.name))
            if site.name == "layer.0.attention.heads":
                rows.append(("layer.N.attention.head.H", "activation", "one head of them", ""))
        if count:
            rows.append((f"(N: 0 to {count - 1})", "", "", "(shown: those of layer 0)"))
    else:
        rows = [_row(site, site.name) for site in chosen]
    return Table(("name", "kind", "shape", "in the model"), rows)


def _row(site: NamedSite, name: str) -> tuple[str, str, str, str]:
    shape = list(site.shape)
    if site.part is not None:
        shape[site.dim] = len(site.part)
    inside = "" if site.part is None else ", a part"
    return name, site.kind, str(shape), f"{site.site}{inside}"


class _Namer:
    """Finds the places one by one.

    Args:
        model: the language model.
        parts: where its parts are.
        traced: the activations of a call, in the order of the program.
    """

    def __init__(self, model: nn.Module, parts: Anatomy, traced: list[Activation]) -> None:
        self._model, self._parts, self._traced = model, parts, traced
        self._weights = dict(model.named_parameters(remove_duplicate=False))
        self._spans: dict[str, list[int]] = {}
        for index, activation in enumerate(traced):
            path = activation.module_path
            while path:
                self._spans.setdefault(path, []).append(index)
                path = path.rpartition(".")[0]

    def all(self) -> Iterator[NamedSite]:
        """Every place, in the order of the model."""
        outside = self._parts.outside
        for role in ("embedding", "positions"):
            if role in outside:
                yield from self._part(role, outside[role])
        for number, layer in enumerate(self._parts.layers):
            yield from self._layer(f"layer.{number}", layer)
        for role in ("norm", "head"):
            if role in outside:
                yield from self._part(role, outside[role])

    def _layer(self, name: str, layer: Layer) -> Iterator[NamedSite]:
        yield from self._output(name, layer.path)
        for half, path in (("attention", layer.attention), ("mlp", layer.mlp)):
            last = layer.inside.get("mlp.down", "") if half == "mlp" else ""
            yield from self._output(f"{name}.{half}", path or last)
            for role, inside in layer.inside.items():
                if role.startswith(f"{half}."):
                    yield from self._part(f"{name}.{role}", inside)
            if half == "attention":
                yield from self._thirds(f"{name}.attention", layer)
                yield from self._heads(f"{name}.attention", layer)
            else:
                yield from self._hidden(f"{name}.mlp.hidden", layer)
        for role, inside in layer.inside.items():
            if "." not in role:
                yield from self._part(f"{name}.{role}", inside)

    def _part(self, name: str, path: str) -> Iterator[NamedSite]:
        """A part of the model: what it gives, and its weights."""
        yield from self._output(name, path)
        for weight, tensor in self._weights.items():
            if weight.rpartition(".")[0] == path:
                yield NamedSite(f"{name}.{weight.rpartition('.')[2]}", "weight", weight, tuple(tensor.shape))

    def _output(self, name: str, path: str) -> Iterator[NamedSite]:
        """What a part gives: the last value that is made in it."""
        if path and path in self._spans:
            yield self._site(name, self._traced[self._spans[path][-1]])

    def _site(self, name: str, found: Activation, part: tuple[int, ...] | None = None) -> NamedSite:
        return NamedSite(name, "activation", found.name, tuple(found.shape), part, 2 if part else -1)

    def _before(self, path: str, around: str) -> list[Activation]:
        """What is made inside of ``around`` before the part at ``path`` begins, the latest first."""
        begin = self._spans.get(path, [0])[0]
        return [self._traced[i] for i in reversed(self._spans.get(around, [])) if i < begin]

    def _heads(self, name: str, layer: Layer) -> Iterator[NamedSite]:
        """What each head found, before it is mixed: shape ``[texts, tokens, heads, channels]``."""
        count = self._parts.heads
        earlier = self._before(layer.inside.get("attention.out", ""), layer.attention)
        heads = next((a for a in earlier if len(a.shape) == 4 and a.shape[2] == count), None)
        if heads is not None:
            yield self._site(f"{name}.heads", heads)
            for head in range(count):
                yield self._site(f"{name}.head.{head}", heads, (head,))
        maps = [a for a in earlier if a.address is not None and a.address.op == "softmax"]
        if maps:
            yield self._site(f"{name}.map", maps[0])

    def _hidden(self, name: str, layer: Layer) -> Iterator[NamedSite]:
        """The neurons of an MLP: what goes into its last linear layer."""
        earlier = self._before(layer.inside.get("mlp.down", ""), layer.mlp or layer.path)
        if earlier:
            yield self._site(name, earlier[0])

    def _thirds(self, name: str, layer: Layer) -> Iterator[NamedSite]:
        """Query, key and value where one weight makes all three."""
        joined = layer.inside.get("attention.qkv")
        if joined is None:
            return
        after = self._spans.get(joined, [0])[-1]
        for number, third in enumerate(_THIRDS):
            for index in self._spans.get(layer.attention, []):
                address = self._traced[index].address
                split = address is not None and address.op in ("split", "chunk", "unbind")
                if index > after and split and address is not None and address.part == (number,):
                    found = self._traced[index]
                    yield self._site(f"{name}.{third}", found)
                    yield from self._third_weights(f"{name}.{third}", joined, number, found.shape)
                    break

    def _third_weights(self, name: str, path: str, number: int, shape: Sequence[int]) -> Iterator[NamedSite]:
        transposed = type(self._model.get_submodule(path)).__name__ == "Conv1D"
        for kind in ("weight", "bias"):
            weight = self._weights.get(f"{path}.{kind}")
            if weight is not None:
                dim = 1 if transposed and kind == "weight" else 0
                rows = self._rows(weight, dim, number, shape)
                yield NamedSite(f"{name}.{kind}", "weight", f"{path}.{kind}", tuple(weight.shape), rows, dim)

    def _rows(self, weight: Tensor, dim: int, number: int, shape: Sequence[int]) -> tuple[int, ...]:
        """Which output channels are queries, keys, or values: a third, or a third of each head's."""
        size, third = weight.shape[dim], weight.shape[dim] // 3
        if len(shape) == 4:  # GPT-NeoX: head by head
            own = int(shape[-1])
            return tuple(c for c in range(size) if c // own % 3 == number)
        return tuple(range(number * third, (number + 1) * third))
