"""Draws: once for each (seed, site), the same in every process, nested, at any length."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchbend
from torchbend.bending.callbacks import Mask, Normal, OrderedMask, Permute, ThresholdPermute
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError

SOURCE = """
import torch
from torchbend.bending.callbacks import Mask, Normal, OrderedMask, Permute
from torchbend.bending.site_state import SiteState
site = SiteState("decoder.weight", "weight")
x = torch.arange(1.0, 25.0).reshape(4, 6)
for callback in (Mask(0.5, seed=7), OrderedMask(0.5, seed=7), Normal(seed=7), Permute(1, seed=7)):
    print(callback.apply(x, site).flatten().tolist())
"""


def ones(kind, *shape, name="s"):
    return torch.ones(*shape), SiteState(name, kind)


def test_the_same_seed_gives_the_same_result_in_another_process():
    root = (
        str(Path(torchbend.__file__).parents[1])
        if torchbend.__file__
        else str(Path(torchbend.__path__[0]).parent)
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SOURCE],
            env={"PYTHONPATH": root, "PYTHONHASHSEED": str(seed), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(outputs) == 1 and outputs.pop().count("\n") == 4


@pytest.mark.parametrize("kind", ["weight", "activation"])
@given(seed=st.integers(-(2**40), 2**40), low=st.floats(0, 1), high=st.floats(0, 1))
def test_masks_are_nested_and_turning_never_rolls_again(kind, seed, low, high):
    low, high = sorted((low, high))
    for cls in (Mask, OrderedMask):
        prob = BendingParameter("prob", low)
        callback, site = cls(prob, seed=seed), SiteState("s", kind)
        x = torch.ones(1, 64, 3)
        few = callback.apply(x, site)
        prob.set_value(high)
        many = callback.apply(x, site)
        prob.set_value(low)
        assert (few <= many).all()
        assert torch.equal(few, callback.apply(x, site))


def test_sites_and_seeds_differ_and_a_new_bend_draws_the_same():
    x = torch.ones(64, 8)
    first = Mask(0.5, seed=1).apply(x, SiteState("a", "weight"))
    assert torch.equal(first, Mask(0.5, seed=1).apply(x, SiteState("a", "weight")))
    assert not torch.equal(first, Mask(0.5, seed=1).apply(x, SiteState("b", "weight")))
    assert not torch.equal(first, Mask(0.5, seed=2).apply(x, SiteState("a", "weight")))
    shared = Mask(0.5, seed=1)
    assert not torch.equal(shared.apply(x, SiteState("a")), shared.apply(x, SiteState("b")))


@pytest.mark.parametrize("callback", [Mask(0.5, seed=3), OrderedMask(0.5, seed=3), Normal(seed=3)])
def test_one_draw_serves_every_length_and_batch(callback):
    site = SiteState("s", "activation")
    short = callback.apply(torch.ones(1, 16, 10), site)
    long = callback.apply(torch.ones(3, 16, 50), site)
    image = callback.apply(torch.ones(2, 16, 4, 4), site)
    assert torch.equal(short[0, :, 0], long[2, :, 49]) and torch.equal(short[0, :, 0], image[1, :, 3, 3])
    assert (short == short[..., :1]).all()


@pytest.mark.parametrize("callback", [Mask(0.5, seed=3, dim=1), Normal(seed=3, dim=1)])
def test_a_longer_draw_begins_like_a_shorter_one(callback):
    site = SiteState("s", "activation")
    growing = [callback.apply(torch.ones(1, length, 4), site) for length in (3, 7, 100, 5000)]
    for shorter, longer in zip(growing, growing[1:], strict=False):
        assert torch.equal(shorter, longer[:, : shorter.shape[1]])


def test_a_weight_is_drawn_value_by_value_unless_dim_is_given():
    x, site = ones("weight", 32, 32)
    assert len(torch.unique(Mask(0.5, seed=1).apply(x, site).sum(1))) > 2
    rows = Mask(0.5, seed=1, dim=0).apply(x, site)
    assert set(rows.sum(1).tolist()) == {0.0, 32.0}


def test_no_draw_touches_the_global_random_state():
    x, site = ones("weight", 8, 8)
    before = torch.get_rng_state()
    for callback in (
        Mask(seed=1),
        OrderedMask(seed=1),
        Normal(seed=1),
        Permute(seed=1),
        ThresholdPermute(seed=1),
    ):
        callback.apply(x, site.child(type(callback)))
    assert torch.equal(before, torch.get_rng_state())


def test_draws_of_inference_mode_serve_training_later():
    callback, site = Normal(seed=1, op="mul"), SiteState("s", "weight")
    with torch.inference_mode():
        callback.apply(torch.ones(3), site)
    leaf = torch.ones(3, requires_grad=True)
    callback.apply(leaf, site).sum().backward()
    assert leaf.grad is not None and (leaf.grad != 0).all()


def test_draws_ignore_the_default_device():
    with torch.device("meta"):
        out = Mask(0.5).apply(torch.ones(4, device="cpu"), SiteState("s"))
    assert out.device.type == "cpu"


def test_a_seed_is_an_int():
    for wrong in (1.5, "a", True, BendingParameter("s", 1)):
        with pytest.raises(CallbackError, match="seed"):
            Mask(seed=wrong)
