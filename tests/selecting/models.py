"""Small models whose sites are known by heart."""

import torch
from torch import nn


class TwoWays(nn.Module):
    """Encodes by a convolution and two bends of a line, decodes by another one; holds a buffer."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(2, 4, 3, padding=1)
        self.up = nn.Conv1d(4, 2, 3, padding=1)
        self.register_buffer("shift", torch.tensor([0.5]))

    def encode(self, x):
        return torch.relu(self.down(x)) + self.shift

    def decode(self, z):
        return torch.tanh(self.up(z + 1))

    def forward(self, x):
        return self.decode(self.encode(x))


class NameTwice(nn.Module):
    """A parameter and an operation share the name ``mul``."""

    def __init__(self):
        super().__init__()
        self.mul = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        y = x * 3.0
        return y + self.mul


class Branching(nn.Module):
    """Another operation for inputs of a negative sum."""

    def forward(self, x):
        if x.sum() > 0:
            return x.sin()
        return x.cos()
