"""The four distributions agree with torch's, and TorchScript compiles them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.distributions import Bernoulli, Categorical, Normal, Uniform
from torchbend.errors import TorchbendError

A = torch.tensor([[-1.0, 0.5, 2.0], [0.1, -0.3, 1.5]])
B = torch.tensor([[0.5, 1.0, 2.0], [0.2, 0.7, 3.0]])
MADE: dict[str, Any] = {
    "normal": lambda: Normal(A, B),
    "uniform": lambda: Uniform(A, A + B),
    "bernoulli of probabilities": lambda: Bernoulli(torch.sigmoid(A)),
    "bernoulli of logits": lambda: Bernoulli(logits=A),
    "categorical of probabilities": lambda: Categorical(B),
    "categorical of logits": lambda: Categorical(logits=A),
}


@pytest.mark.parametrize("name", MADE)
def test_the_numbers_are_those_of_torch(name: str) -> None:
    own = MADE[name]()
    theirs = tb.distributions.convert_to_torch(own)
    assert type(theirs).__name__ == type(own).__name__
    torch.manual_seed(0)
    value = own.sample()
    assert value.shape == theirs.sample().shape
    assert torch.allclose(own.log_prob(value), theirs.log_prob(value), atol=1e-5)
    assert torch.allclose(own.entropy(), theirs.entropy(), atol=1e-5)
    for part in ("mean", "stddev", "variance", "mode"):
        if hasattr(own, part) and part != "mode":
            assert torch.allclose(getattr(own, part), getattr(theirs, part), atol=1e-6)
    back = tb.distributions.convert_from_torch(theirs)
    assert type(back) is type(own)
    assert torch.allclose(back.log_prob(value), own.log_prob(value), atol=1e-5)


@pytest.mark.parametrize("name", MADE)
def test_samples_have_the_distribution_s_mean(name: str) -> None:
    own = MADE[name]()
    torch.manual_seed(0)
    count = 4000
    mean = torch.stack([own.sample().float() for _ in range(count)]).mean(0)
    if isinstance(own, Categorical):
        wanted, spread = (own.probs * torch.arange(3)).sum(-1), 1.0
    else:
        wanted, spread = own.mean, float(own.stddev.max())
    assert torch.allclose(mean, wanted, atol=5 * spread / count**0.5)


def numbers(a: Tensor, b: Tensor) -> list[Tensor]:
    normal, uniform = Normal(a, b), Uniform(a, a + b)
    chances, odds = Bernoulli(torch.sigmoid(a)), Bernoulli(logits=a)
    shares, classes = Categorical(b), Categorical(logits=a)
    return [
        normal.sample(),
        normal.rsample(),
        normal.log_prob(a + 1),
        normal.variance,
        uniform.sample(),
        uniform.entropy(),
        chances.sample(),
        chances.log_prob(chances.mode),
        odds.stddev,
        shares.sample(),
        classes.log_prob(classes.mode),
        normal.as_tuple()[1],
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_compiles_all_four() -> None:
    scripted = torch.jit.script(numbers)
    torch.manual_seed(0)
    wanted = numbers(A, B)
    torch.manual_seed(0)
    assert all(torch.equal(x, y) for x, y in zip(scripted(A, B), wanted, strict=True))
    with pytest.raises(torch.jit.Error, match="scale has to be over 0"):
        scripted(A, -B)


def test_gradients_reach_the_parameters_of_rsample_only() -> None:
    loc = A.clone().requires_grad_()
    assert Normal(loc, B).rsample().requires_grad and not Normal(loc, B).sample().requires_grad


def test_parameters_broadcast() -> None:
    assert Normal(torch.zeros(3, 1), torch.ones(4)).sample().shape == (3, 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normal(A, -B),
        lambda: Uniform(A, A),
        lambda: Bernoulli(A),
        lambda: Bernoulli(),
        lambda: Bernoulli(B, B),
        lambda: Categorical(A),
        lambda: Categorical(),
        lambda: tb.distributions.convert_to_torch(3),
        lambda: tb.distributions.convert_from_torch(torch.distributions.Beta(B, B)),
        lambda: tb.distributions.checkdist("Beta"),
    ],
)
def test_wrong_parameters_are_refused(make: Any) -> None:
    with pytest.raises(TorchbendError):
        make()


def test_names_and_tensors() -> None:
    assert tb.distributions.checkdist("Normal") is Normal and tb.distributions.checkdist(None) is None
    found = tb.distributions.trace_distribution(torch.distributions.Normal(A, B), "z")
    assert list(found) == ["z_mean", "z_std"] and torch.equal(found["z_std"], B)
    parts = tb.distributions.trace_distribution(Bernoulli(logits=A), scatter_dim=True)
    assert list(parts) == ["probs/dim_0", "probs/dim_1", "probs/dim_2"]
