"""Sounds whose pitch, level and spectrum are known."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RATE = 44100


def sine(frequency: float, seconds: float = 1.0, amplitude: float = 0.5, rate: int = RATE) -> Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (amplitude * torch.sin(2 * math.pi * frequency * time)).float()


def harmonics(frequency: float, weights: dict[int, float], seconds: float = 1.0, rate: int = RATE) -> Tensor:
    """Partials of one fundamental; the fundamental itself may be missing."""
    parts = [sine(k * frequency, seconds, weight, rate) for k, weight in weights.items()]
    return torch.stack(parts).sum(0)


def saw(frequency: float, seconds: float = 1.0, rate: int = RATE) -> Tensor:
    """A band-limited saw of peak about 0.5."""
    highest = int(rate / 2 / frequency)
    return harmonics(frequency, {k: 0.3 / k for k in range(1, highest)}, seconds, rate)


def noise(seconds: float = 1.0, amplitude: float = 0.1, seed: int = 0) -> Tensor:
    return amplitude * torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(seed))
