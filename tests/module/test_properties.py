"""Laws that hold for any bend, any number and any input shape that the model takes."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import torchbend as tb

WEIGHTS = ["conv.weight", "conv.bias", "mix.weight", "gain"]
ACTIVATIONS = ["x", "conv", "tanh", "mix", "transpose", "mul", "add"]

numbers = st.floats(-4, 4, allow_nan=False).map(lambda v: round(v, 3))
dyadic = st.sampled_from([-4.0, -2.0, -1.0, -0.5, 0.25, 0.5, 1.0, 2.0, 8.0])
sites = st.sampled_from([*WEIGHTS, *ACTIVATIONS])
seeds = st.integers(0, 2**31)


class _Net(nn.Module):
    """Shape: x [B, 3, T] -> [B, 6, T]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(3, 6, 3, padding=1)
        self.mix = nn.Linear(6, 6)
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, 6)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.conv(x))
        z = self.mix(y.transpose(1, 2)).transpose(1, 2)
        return z * self.gain + y


MODEL = _Net().requires_grad_(False).eval()


def _input(batch: int = 2, length: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(batch, 3, length, generator=torch.Generator().manual_seed(seed))


def _bended() -> tb.BendedModule:
    bended = tb.BendedModule(MODEL)
    bended.trace(_input())
    return bended


@st.composite
def callbacks(draw: Any) -> tb.BendingCallback:
    """Any of the callbacks that bend weights and activations alike."""
    share = draw(st.floats(0, 1).map(lambda v: round(v, 2)))
    seed = draw(seeds)
    return draw(
        st.sampled_from(
            [
                tb.Scale(draw(numbers)),
                tb.Bias(draw(numbers)),
                tb.Affine(draw(numbers), draw(numbers)),
                tb.Mask(share, seed=seed),
                tb.OrderedMask(share, seed=seed),
                tb.Normal(share, seed=seed),
                tb.Permute(0, seed=seed),
                tb.ThresholdActivation(share),
                tb.Lambda(lambda x: x.mul_(3)),
                tb.Scale(draw(numbers)) >> tb.Mask(share, seed=seed),
            ]
        )
    )


@given(st.lists(st.tuples(callbacks(), sites), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 9))
@settings(max_examples=60)
def test_bend_then_reset_is_the_identity_bit_for_bit(
    bends: list[tuple[tb.BendingCallback, str]], batch: int, length: int
) -> None:
    x = _input(batch, length)
    before = {name: tensor.clone() for name, tensor in MODEL.state_dict().items()}
    plain = MODEL(x)
    bended = _bended()
    for callback, site in bends:
        bended.bend(callback, f"{site}$")
    assert bended(x).shape == plain.shape
    assert all(torch.equal(tensor, before[name]) for name, tensor in MODEL.state_dict().items())
    bended.reset()
    assert torch.equal(bended(x), plain) and torch.equal(MODEL(x), plain)
    assert all(torch.equal(tensor, before[name]) for name, tensor in MODEL.state_dict().items())


@given(dyadic, dyadic, sites)
def test_scale_then_scale_is_the_scale_of_the_product(a: float, b: float, site: str) -> None:
    x = _input()
    twice, once, chained = _bended(), _bended(), _bended()
    twice.bend(tb.Scale(a), f"{site}$")
    twice.bend(tb.Scale(b), f"{site}$")
    once.bend(tb.Scale(a * b), f"{site}$")
    chained.bend(tb.Scale(a) >> tb.Scale(b), f"{site}$")
    assert torch.equal(twice(x), once(x)) and torch.equal(chained(x), twice(x))


@given(numbers, numbers, sites)
def test_bends_apply_in_the_order_made(scale: float, bias: float, site: str) -> None:
    x = _input()
    first, second, affine = _bended(), _bended(), _bended()
    first.bend(tb.Scale(scale), f"{site}$")
    first.bend(tb.Bias(bias), f"{site}$")
    second.bend(tb.Bias(bias), f"{site}$")
    second.bend(tb.Scale(scale), f"{site}$")
    affine.bend(tb.Affine(bias, scale), f"{site}$")
    assert torch.allclose(first(x), affine(x), atol=1e-5)
    affine.reset()
    affine.bend(tb.Affine(bias * scale, scale), f"{site}$")
    assert torch.allclose(second(x), affine(x), rtol=1e-4, atol=1e-4)


def test_the_order_matters() -> None:
    first, second = _bended(), _bended()
    first.bend(tb.Scale(2.0), "tanh$")
    first.bend(tb.Bias(1.0), "tanh$")
    second.bend(tb.Bias(1.0), "tanh$")
    second.bend(tb.Scale(2.0), "tanh$")
    assert not torch.allclose(first(_input()), second(_input()))


@given(sites, st.integers(1, 4), st.integers(1, 12), seeds)
@settings(max_examples=60)
def test_any_shape_that_the_model_takes(site: str, batch: int, length: int, seed: int) -> None:
    x = _input(batch, length, seed % 1000)
    bended = _bended()
    for neutral in (tb.Scale(1.0), tb.Mask(1.0, seed=seed), tb.OrderedMask(1.0, seed=seed)):
        bended.bend(neutral, f"{site}$")
    if site in WEIGHTS:
        assert torch.equal(bended.bended_weights()[site], MODEL.get_parameter(site))
    else:
        ((original, bent),) = bended.get_activations(f"{site}$", x=x, _values="both").values()
        assert torch.equal(original, bent)
    # a bent value may lie in memory in another order, which sums round by
    assert torch.allclose(bended(x), MODEL(x), atol=1e-6)
    bended.bend(tb.Mask(0.5, seed=seed), f"{site}$")
    out = bended(x)
    assert out.shape == (batch, 6, length)
    assert torch.equal(out, bended(x))


@given(sites, seeds, st.floats(0, 1), st.floats(0, 1))
def test_a_control_that_goes_and_comes_back_changes_nothing(
    site: str, seed: int, here: float, there: float
) -> None:
    x = _input()
    control = tb.BendingParameter("share", here, range=[0.0, 1.0])
    bended = _bended()
    bended.bend(tb.Mask(control, seed=seed), f"{site}$")
    before = bended(x)
    bended.update("share", there)
    bended(x)
    bended.update("share", here)
    assert torch.equal(bended(x), before)
    fixed = _bended()
    fixed.bend(tb.Mask(here, seed=seed), f"{site}$")
    assert torch.equal(fixed(x), before)


@given(st.permutations(ACTIVATIONS), st.integers(1, 7))
def test_activations_in_any_order(names: list[str], count: int) -> None:
    asked, x = names[:count], _input()
    found = _bended().get_activations(*(f"{n}$" for n in asked), x=x)
    assert list(found) == asked
    y = MODEL.conv(x).tanh()
    wanted = {"x": x, "conv": MODEL.conv(x), "tanh": y, "transpose": y.transpose(1, 2)}
    wanted["mix"] = MODEL.mix(wanted["transpose"])
    wanted["mul"] = wanted["mix"].transpose(1, 2) * MODEL.gain
    wanted["add"] = wanted["mul"] + y
    assert all(torch.equal(found[n], wanted[n]) for n in asked)
