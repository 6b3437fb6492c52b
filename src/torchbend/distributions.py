"""Distributions that TorchScript can compile, and their exchange with ``torch.distributions``.

A method that returns one of these can be scripted; ``torch.distributions`` cannot be. They are plain classes
without a common base, since TorchScript knows no inheritance.
"""

from __future__ import annotations

import math
from typing import Any, Optional

import torch
from torch import Tensor

from torchbend.errors import TorchbendError

__all__ = [
    "Bernoulli",
    "Categorical",
    "Normal",
    "Uniform",
    "checkdist",
    "convert_from_torch",
    "convert_to_torch",
    "trace_distribution",
]


class Normal:
    """The normal distribution of each element.

    Args:
        loc: means.
        scale: standard deviations, over 0; broadcasts with ``loc``.

    Raises:
        TorchbendError: a deviation is not over 0.
    """

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        if not bool((scale > 0).all()):
            raise TorchbendError("Normal: each element of scale has to be over 0")
        shape = (loc + scale).shape
        self.loc = loc.expand(shape)
        self.scale = scale.expand(shape)

    def as_tuple(self) -> tuple[Tensor, Tensor]:
        """``(loc, scale)``."""
        return self.loc, self.scale

    @property
    def mean(self) -> Tensor:
        """The means."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The means, where the density is highest."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The standard deviations."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The squared deviations."""
        return self.scale**2

    def sample(self) -> Tensor:
        """A draw, from torch's global random state; no gradient."""
        return torch.normal(self.loc.detach(), self.scale.detach())

    def rsample(self) -> Tensor:
        """A draw through which gradients reach ``loc`` and ``scale``."""
        return self.loc + self.scale * torch.randn_like(self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at ``value``."""
        unit = (value - self.loc) / self.scale
        return -0.5 * unit**2 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        """Entropy in nats."""
        return self.scale.log() + 0.5 * math.log(2 * math.pi * math.e)


class Uniform:
    """The uniform distribution of each element on ``[low, high)``.

    Args:
        low: lower ends.
        high: upper ends, over ``low``; broadcasts with it.

    Raises:
        TorchbendError: an interval is empty.
    """

    def __init__(self, low: Tensor, high: Tensor) -> None:
        if not bool((low < high).all()):
            raise TorchbendError("Uniform: each element of low has to be under that of high")
        shape = (low + high).shape
        self.low = low.expand(shape)
        self.high = high.expand(shape)

    @property
    def mean(self) -> Tensor:
        """The middle of each interval."""
        return (self.low + self.high) / 2

    @property
    def stddev(self) -> Tensor:
        """The standard deviations."""
        return (self.high - self.low) / math.sqrt(12.0)

    @property
    def variance(self) -> Tensor:
        """The squared deviations."""
        return (self.high - self.low) ** 2 / 12

    def sample(self) -> Tensor:
        """A draw, from torch's global random state; no gradient."""
        return self.rsample().detach()

    def rsample(self) -> Tensor:
        """A draw through which gradients reach ``low`` and ``high``."""
        return self.low + torch.rand_like(self.low) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at ``value``; minus infinity outside."""
        inside = (value >= self.low) & (value < self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def entropy(self) -> Tensor:
        """Entropy in nats."""
        return (self.high - self.low).log()


class Bernoulli:
    """One or zero, for each element.

    Args:
        probs: probabilities of one, in [0, 1].
        logits: instead, their log-odds.

    Raises:
        TorchbendError: both or none are given, or a probability is outside [0, 1].
    """

    def __init__(self, probs: Optional[Tensor] = None, logits: Optional[Tensor] = None) -> None:  # noqa: UP045  TorchScript
        if probs is not None and logits is None:
            if not bool(((probs >= 0) & (probs <= 1)).all()):
                raise TorchbendError("Bernoulli: each element of probs has to be in [0, 1]")
            chances, odds = probs, torch.logit(probs, 1.2e-7)
        elif logits is not None and probs is None:
            chances, odds = torch.sigmoid(logits), logits
        else:
            raise TorchbendError("Bernoulli: give either probs or logits")
        self.probs = chances
        self.logits = odds

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """One where it is more probable than zero."""
        return (self.probs > 0.5).to(self.probs.dtype)

    @property
    def stddev(self) -> Tensor:
        """The standard deviations."""
        return self.variance.sqrt()

    @property
    def variance(self) -> Tensor:
        """The squared deviations."""
        return self.probs * (1 - self.probs)

    def sample(self) -> Tensor:
        """A draw, from torch's global random state; no gradient."""
        return torch.bernoulli(self.probs.detach())

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the probability of ``value``, zeros and ones."""
        both = torch.nn.functional.softplus(self.logits)
        return value * self.logits - both

    def entropy(self) -> Tensor:
        """Entropy in nats."""
        return torch.nn.functional.softplus(self.logits) - self.probs * self.logits


class Categorical:
    """One of the K classes along the last dimension.

    Args:
        probs: ``[*, K]``, not negative; divided by their sums.
        logits: ``[*, K]``, instead: their logarithms, up to a constant.

    Raises:
        TorchbendError: both or none are given, or a probability is negative.
    """

    def __init__(self, probs: Optional[Tensor] = None, logits: Optional[Tensor] = None) -> None:  # noqa: UP045  TorchScript
        if probs is not None and logits is None:
            if not bool((probs >= 0).all()):
                raise TorchbendError("Categorical: no element of probs may be negative")
            chances = probs / probs.sum(-1, keepdim=True)
            logarithms = chances.clamp(min=1.2e-7).log()
        elif logits is not None and probs is None:
            chances, logarithms = torch.softmax(logits, -1), torch.log_softmax(logits, -1)
        else:
            raise TorchbendError("Categorical: give either probs or logits")
        self.probs = chances
        self.logits = logarithms

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return self.probs.argmax(-1)

    def sample(self) -> Tensor:
        """A draw of class numbers, ``[*]``, from torch's global random state; no gradient."""
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        return torch.multinomial(rows, 1, True).reshape(self.probs.shape[:-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the probability of the classes ``value``, ``[*]``."""
        return self.logits.gather(-1, value.long().unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, ``[*]``."""
        return -(self.probs * self.logits).sum(-1)


# Which of its attributes make each distribution again; torch's own ones have the same names.
_PARAMETERS: dict[type, tuple[str, ...]] = {
    Normal: ("loc", "scale"),
    Uniform: ("low", "high"),
    Bernoulli: ("logits",),
    Categorical: ("logits",),
}
_SHOWN = {Normal: {"mean": "mean", "std": "stddev"}, Uniform: {"low": "low", "high": "high"}}


def convert_to_torch(distribution: Any) -> torch.distributions.Distribution:
    """The same distribution of ``torch.distributions``; one of those is returned as it is.

    Raises:
        TorchbendError: it is none of the four.
    """
    if isinstance(distribution, torch.distributions.Distribution):
        return distribution
    kinds = {kind: getattr(torch.distributions, kind.__name__) for kind in _PARAMETERS}
    made: torch.distributions.Distribution = _converted(distribution, kinds)
    return made


def convert_from_torch(distribution: Any) -> Any:
    """The same distribution of this module; one of those is returned as it is.

    Raises:
        TorchbendError: it is none of the four.
    """
    if type(distribution) in _PARAMETERS:
        return distribution
    kinds = {getattr(torch.distributions, kind.__name__): kind for kind in _PARAMETERS}
    return _converted(distribution, kinds)


def _converted(distribution: Any, kinds: dict[Any, Any]) -> Any:
    made = kinds.get(type(distribution))
    if made is None:
        raise TorchbendError(
            "this distribution has no counterpart",
            wanted=", ".join(kind.__name__ for kind in _PARAMETERS),
            got=type(distribution).__name__,
        )
    names = next(names for kind, names in _PARAMETERS.items() if kind.__name__ == type(distribution).__name__)
    return made(**{name: getattr(distribution, name) for name in names})


def checkdist(kind: Any) -> Any:
    """The distribution class of a name (``"Normal"``); a class, or None, is returned as it is.

    Raises:
        TorchbendError: there is none of that name.
    """
    known = {k.__name__: k for k in _PARAMETERS}
    if kind is None or kind in known.values():
        return kind
    if kind not in known:
        raise TorchbendError("no such distribution", wanted=", ".join(known), got=repr(kind))
    return known[kind]


def trace_distribution(distribution: Any, name: str = "", scatter_dim: bool = False) -> dict[str, Tensor]:
    """The tensors of a distribution by name: ``mean`` and ``std``, ``low`` and ``high``, or ``probs``.

    Args:
        distribution: of this module or of ``torch.distributions``; a tensor is returned under ``name``.
        name: put before each name, with an underscore.
        scatter_dim: one entry for each index of the last dimension, ``"mean/dim_0"``.

    Raises:
        TorchbendError: it is none of the four.
    """
    if isinstance(distribution, Tensor):
        return {name: distribution}
    own = convert_from_torch(distribution)
    shown = _SHOWN.get(type(own), {"probs": "probs"})
    found = {f"{name}_{key}" if name else key: getattr(own, part) for key, part in shown.items()}
    if not scatter_dim:
        return found
    return {f"{key}/dim_{i}": t[..., i] for key, t in found.items() for i in range(t.shape[-1])}
