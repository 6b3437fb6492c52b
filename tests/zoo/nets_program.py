"""Networks that are hard for their Python rather than for their layers: what a symbolic tracer trips over."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class SelfRecursive(nn.Module):
    """Calls itself on halves of its input until they are short.

    Shape: x [B, T] -> [B, T], T a multiple of 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaf = nn.Linear(4, 4)
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, 8))

    def forward(self, x: Tensor, depth: int = 0) -> Tensor:
        if x.shape[-1] <= 4:
            return self.leaf(x)
        parts = [x[..., start : start + 4] for start in range(0, x.shape[-1], 4)]
        middle = len(parts) // 2
        left = self(torch.cat(parts[:middle], dim=-1), depth + 1)
        right = self(torch.cat(parts[middle:], dim=-1), depth + 1)
        return torch.cat([left, right], dim=-1) * self.gain[depth]


def gate(x: Tensor, y: Tensor) -> Tensor:
    """A gate of one tensor by another, to be scripted."""
    return torch.tanh(x) * torch.sigmoid(y)


class ScriptedLayer(nn.Module):
    """A layer that is scripted before it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            x = torch.relu(self.linear(x))
        return x


class WithScripts(nn.Module):
    """A scripted submodule and a scripted function. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.last = nn.Linear(8, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.scripted = torch.jit.script(ScriptedLayer())
            self.gate = torch.jit.script(gate)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(self.gate(self.scripted(x), x))


@dataclass
class Analysis:
    """An output as a dataclass."""

    level: Tensor
    bands: list[Tensor]
    count: int


class Pair(NamedTuple):
    """An output as a named tuple."""

    mean: Tensor
    spread: Tensor


class NestedOutputs(nn.Module):
    """Returns a dict of a dataclass, a named tuple, lists and plain numbers. Shape: x [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> dict[str, Any]:
        y = self.linear(x)
        bands = list(y.split(2, dim=-1))
        analysis = Analysis(level=y.square().mean(-1).sqrt(), bands=bands, count=len(bands))
        return OrderedDict(
            y=y, analysis=analysis, pair=Pair(y.mean(), y.std()), sizes=tuple(y.shape), nothing=None
        )


class KeywordsOnly(nn.Module):
    """Takes its inputs by name only, one of them nested.

    Shape: left [B, 8], right {"x": [B, 8], "more": [...]}.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, *, left: Tensor, right: dict[str, Any], gain: float = 0.5) -> Tensor:
        total = self.linear(left) + gain * right["x"]
        for number, tensor in enumerate(right["more"]):
            total = total + tensor / (number + 1)
        return total


class ArgumentNamedInput(nn.Module):
    """An argument called `input`, and another called `target`. Shape: input, target [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.addmm(target, input, self.linear.weight.t()).sub(self.linear(input) * 0.5)


class InPlaceViews(nn.Module):
    """Writes into views of a tensor. Shape: x [B, 8, T] -> [B, 8, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        left, right = y[:, :4], y[:, 4:]
        left.mul_(self.gain)
        right += left
        y[..., 0] = 0
        y.transpose(1, 2)[:, ::2].tanh_()
        torch.clamp(y, min=-1, max=1, out=y)
        F.relu(left, inplace=True)
        return y


class Checkpointed(nn.Module):
    """Parts under activation checkpointing. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + checkpoint(block, x, use_reentrant=False)
        return x


class DataControl(nn.Module):
    """Branches and loop counts that depend on values. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = nn.Linear(8, 8)
        self.loud = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        if x.abs().mean() > 10:
            return self.loud(x)
        y = self.quiet(x)
        for _ in range(int(x.abs().max().item()) + 1):
            y = torch.where(y > 0, y * 0.5, y)
        while bool((y.norm() > 1).item()):
            y = y / 2
        return y if float(y.sum()) > -100 else -y


class TimeLoop(nn.Module):
    """A loop over time with a list, stacked and concatenated at its end.

    Shape: x [B, T, 8] -> [B, T + 1, 8].
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(16, 8)
        self.register_buffer("decay", torch.linspace(0.1, 0.9, 8))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        state = torch.zeros(batch, width)
        outputs = []
        for index in range(length):
            state = torch.tanh(self.step(torch.cat([x[:, index], state], dim=-1))) * self.decay + state * 0.5
            outputs.append(state)
        return torch.cat([torch.stack(outputs, dim=1), torch.zeros(batch, 1, width)], dim=1)


class TracedSizes(nn.Module):
    """Factories, views and arithmetic on sizes. Shape: x [B, C, T] -> [B, C, 2 T + 4], T even."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, length = x.shape
        ramp = torch.linspace(0, 1, length).expand(batch, channels, length)
        pairs = torch.stack([x, ramp], dim=-1) @ self.mix
        edge = torch.full((batch, channels, 4), 0.5)
        out = torch.cat([pairs.reshape(batch, channels, length * 2), edge], dim=-1)
        where = torch.arange(out.size(-1)) % (length // 2) == 0
        return out.masked_fill(where, 0.0) * (length**0.5) / max(batch, 1) + torch.eye(channels).sum() * 1e-3


class ConstantsInGraph(nn.Module):
    """Constant tensors, slices of buffers, tensor attributes and lists of them.

    Shape: x [B, T] -> [B, T], T <= 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([[0.5], [1.5]]))
        self.register_buffer("table", torch.randn(2, 32))
        self.register_buffer("hidden_table", torch.randn(32), persistent=False)
        self.plain = torch.linspace(-1, 1, 32)
        self.listed = [torch.tensor(0.5), torch.tensor([2.0])]

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        y = x * self.table[0, :length] * self.gain[1] + self.table[1:, -length:]
        y = y + self.plain[:length] * self.listed[0] + self.hidden_table.narrow(0, 0, length)
        return (
            torch.cat([y[:, :1] * self.listed[1], y[:, 1:]], dim=1)
            + torch.tensor([0.25])
            - torch.as_tensor(1.5)
        )


class SharedSubmodule(nn.Module):
    """One module called several times, also under a second name. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.alias = self.layer
        self.banks = nn.ModuleDict({"bend": nn.Tanh(), "again": self.layer})

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x) + self.alias(x.flip(-1))
        for bank in self.banks.values():
            x = bank(x)
        return self.layer.forward(x)


class Straight(torch.autograd.Function):
    """Rounding with a straight-through gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x * 4) / 4

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class CustomFunction(nn.Module):
    """An autograd function of one's own, and torch.vmap. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        rounded = Straight.apply(self.linear(x))
        return torch.vmap(lambda row: row * row.sum())(rounded)


class RandomDropout(nn.Module):
    """Dropout, noise and sampling: the output depends on the random state. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = F.dropout(self.linear(x), 0.5, training=True)
        y = y + torch.randn_like(y) * 0.1 + torch.empty_like(y).uniform_(-0.1, 0.1)
        return y * torch.bernoulli(torch.full((x.shape[0], 1), 0.9)) + torch.randperm(8)[:1]


class ThroughNumpy(nn.Module):
    """Leaves torch for numpy in the middle. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.last = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        curve = torch.from_numpy(self.first(x).detach().numpy() ** 2)
        return self.last(curve) + x


class HookedSubmodule(nn.Module):
    """Has forward hooks of its own that change inputs and outputs. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.last = nn.Linear(8, 8)
        self.first.register_forward_hook(lambda module, args, output: output * 2)
        self.last.register_forward_pre_hook(lambda module, args: (args[0] + 1,))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)))
