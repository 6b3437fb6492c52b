"""What changes from step to step: the factor of the regularisation, and the learning rate."""

from __future__ import annotations

import math

from torchbend.rave.config import BetaConfig

__all__ = ["beta", "learning_rate"]


def beta(step: int, config: BetaConfig) -> float:
    """The factor of the latent regularisation.

    Args:
        step: batches done before this one, from 0.
        config: the schedule.

    >>> [round(beta(step, BetaConfig(0.01, 1.0, warmup=4)), 3) for step in range(5)]
    [0.032, 0.1, 0.316, 1.0, 1.0]
    """
    done = step + 1
    if done >= config.warmup:
        return config.target
    share = done / config.warmup
    if config.logarithmic:
        return math.exp(math.log(config.initial) * (1 - share) + math.log(config.target) * share)
    return config.initial + (config.target - config.initial) * share


def learning_rate(step: int, start: float, phase_1_duration: int) -> float:
    """The learning rate of encoder and decoder: it falls in a line to a tenth, and stays there.

    Args:
        step: batches done before this one, from 0.
        start: at the first step.
        phase_1_duration: batches until the end of the fall.

    >>> [learning_rate(step, 1.0, 100) for step in (0, 50, 1000)]
    [1.0, 0.55, 0.1]
    """
    share = min(step / phase_1_duration, 1.0) if phase_1_duration > 0 else 1.0
    return round(start * (1 - 0.9 * share), 12)
