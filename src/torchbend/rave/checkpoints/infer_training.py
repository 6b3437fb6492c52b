"""Discriminator and distances from the names and shapes of their weights."""

from __future__ import annotations

import re

from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import (
    CombinedConfig,
    DescriptConfig,
    DiscriminatorConfig,
    DistanceConfig,
    MultiPeriodConfig,
    MultiScaleConfig,
)

__all__ = ["infer_discriminator", "infer_distance"]

PERIODS = (2, 3, 5, 7, 11, 13, 17, 19)


def infer_discriminator(state: State, default: DiscriminatorConfig, notes: list[str]) -> DiscriminatorConfig:
    """The discriminator, or ``default`` where the state holds none that is known."""
    names = [name for name in state if name.startswith("discriminator.")]
    if not names:
        return default
    if any(re.match(r"discriminator\.discriminators\.\d+\.band_convs\.", name) for name in names):
        return DescriptConfig()
    single = _single(state, "discriminator.")
    if single is not None:
        return single
    parts: list[MultiScaleConfig | MultiPeriodConfig] = []
    while (part := _single(state, f"discriminator.discriminators.{len(parts)}.")) is not None:
        parts.append(part)
    if parts:
        return CombinedConfig(tuple(parts))
    notes.append("the discriminator is not known: another one stands in its place")
    return default


def infer_distance(state: State, default: DistanceConfig) -> DistanceConfig:
    """The distance, from the windows of its transforms."""
    start = "audio_distance.multiscale_stft.stfts."
    scales: list[int] = []
    while f"{start}{len(scales)}.window" in state:
        scales.append(state[f"{start}{len(scales)}.window"].numel())
    return DistanceConfig(tuple(scales), default.log_epsilon) if scales else default


def _single(state: State, start: str) -> MultiScaleConfig | MultiPeriodConfig | None:
    first = state.get(f"{start}layers.0.net.0.weight_v")
    if first is None:
        return None
    count = 0
    while f"{start}layers.{count}.net.0.weight_v" in state:
        count += 1
    layers = sum(
        bool(re.fullmatch(re.escape(start) + r"layers\.0\.net\.\d+\.weight_v", name)) for name in state
    )
    capacity, kernel = int(first.shape[0]), int(first.shape[2])
    if first.dim() == 4:
        return MultiPeriodConfig(capacity, PERIODS[:count], kernel, layers=layers)
    return MultiScaleConfig(capacity, count, kernel, layers=layers)
