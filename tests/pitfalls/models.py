"""Small models for the promises of this folder."""

from __future__ import annotations

from typing import Any

import torch
from tests.zoo.nets_audio import Joseph
from torch import Tensor, nn

__all__ = ["joseph", "seconds", "wave_of", "seeded_linear", "Doubled", "TiedHead", "Twice"]


def joseph() -> Joseph:
    """The additive synthesiser of the documents: 110 Hz, four partials."""
    return Joseph(110, 4)


def seconds(length: int = 64, batch: int = 1) -> Tensor:
    """Time in seconds. Shape: [batch, length]."""
    return torch.arange(length).expand(batch, length) / 44100


def wave_of(t: Tensor, f0: float = 110.0, gain: float = 1.0) -> Tensor:
    """What `joseph` gives for ``t`` [B, T], written down directly; ``gain`` multiplies the sines."""
    freqs = f0 * torch.arange(1, 5).reshape(1, 4, 1)
    return (torch.sin(2 * torch.pi * freqs * t.unsqueeze(-2)) * gain / 4).sum(-2)


def seeded_linear(*sizes: int) -> nn.Sequential:
    """Linear layers one after the other, with weights that are the same each time."""
    torch.manual_seed(0)
    pairs = zip(sizes, sizes[1:], strict=False)
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairs))


class Doubled(nn.Module):
    """A module whose activations are taken by every kind of consumer. Shape: x [B, 4]."""

    def forward(self, x: Tensor, how: str = "cat") -> Any:
        sin = torch.sin(x)
        cos = torch.cos(x)
        if how == "cat":
            return torch.cat([sin, cos], dim=-1)
        if how == "tuple":
            return torch.stack((sin, cos))
        if how == "keyword":
            return torch.add(cos, other=sin)
        if how == "dict":
            return {"a": sin, "b": [cos, {"c": sin}]}
        if how == "einsum":
            return torch.einsum("bi,bi->b", [sin, cos])
        if how == "index":
            cos[..., 0] = sin[..., 1]
            return cos
        return sin


class TiedHead(nn.Module):
    """An embedding whose weight is also the output's. Shape: ids [B, T] -> [B, T, 16]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(16, 8)
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embedding(ids))


class Twice(nn.Module):
    """Several methods that lead to one layer. Shape: x [B, 4] -> [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))

    def encode(self, x: Tensor) -> Tensor:
        return self.forward(x) + 1

    def generate(self, x: Tensor, steps: int = 3) -> list[Tensor]:
        made = []
        for _ in range(steps):
            x = self(x)
            made.append(x)
        return made
