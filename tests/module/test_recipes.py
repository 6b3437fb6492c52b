"""Recipes in use: bends from a recipe, several kept by name, copies that share nothing."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.errors import ControlError, RecipeError, SiteNotFoundError

X = torch.linspace(-1, 1, 8).reshape(2, 4)


@pytest.fixture
def bended() -> tb.BendedModule:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)).requires_grad_(False)
    made = tb.BendedModule(net)
    made.trace(X)
    return made


def _recipe(gain: tb.BendingParameter | float = 2.0) -> tb.BendingConfig:
    return tb.BendingConfig((tb.Scale(gain), "0.weight", "_1$"), (tb.Normal(0.1, seed=4), "2.bias"))


def test_a_recipe_is_the_bends_that_it_lists(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(2.0), "0.weight", "_1$")
    bended.bend(tb.Normal(0.1, seed=4), "2.bias")
    wanted, keys = bended(X), bended.bended_keys()
    made = bended.bending_config()
    bended.reset()
    bended.bend(_recipe())
    assert bended.bended_keys() == keys and torch.equal(bended(X), wanted)
    assert made == _recipe() == bended.bending_config()


def test_a_recipe_that_fits_in_part_bends_nothing(bended: tb.BendedModule) -> None:
    plain = bended(X)
    with pytest.raises(SiteNotFoundError, match="nothing"):
        bended.bend(tb.BendingConfig((tb.Scale(2.0), "0.weight"), (tb.Scale(2.0), "nothing")))
    assert bended.bended_keys() == [] and torch.equal(bended(X), plain)


def test_a_saved_recipe_gives_the_same_sound(bended: tb.BendedModule, tmp_path: Path) -> None:
    bended.bend(_recipe(tb.BendingParameter("gain", 2.0, range=[0.0, 4.0])))
    bended.update("gain", 3.0)
    wanted = bended(X)
    bended.bending_config().save(tmp_path / "recipe.json")
    bended.reset()
    bended.bend(tb.BendingConfig.load(tmp_path / "recipe.json", module=bended))
    assert torch.equal(bended(X), wanted)
    assert bended.controllables["gain"].range == (0.0, 4.0)


def test_named_recipes_are_kept_and_switched(bended: tb.BendedModule) -> None:
    plain = bended(X)
    bended.bend(tb.Scale(2.0), "0.weight")
    loud = bended(X)
    bended.save_config_as("loud")
    bended.save_config("noise", tb.BendingConfig((tb.Normal(0.5, seed=1), "2.weight")))
    with pytest.raises(RecipeError, match="exists"):
        bended.save_config_as("loud")
    bended.set_config("noise")
    assert bended.config == "noise" and bended.bended_keys() == ["2.weight"]
    noisy = bended(X)
    bended.config = "loud"
    assert torch.equal(bended(X), loud) and bended.bended_keys() == ["0.weight"]
    bended.config = "noise"
    assert torch.equal(bended(X), noisy)  # the same draw as before
    bended.set_config("quiet", create=True)
    assert torch.equal(bended(X), plain)
    bended.bend(tb.Scale(0.0), "2.weight", config="noise")  # into a recipe that is not in force
    assert torch.equal(bended(X), plain)
    bended.config = "noise"
    assert torch.equal(bended(X), net_bias(bended))
    with pytest.raises(RecipeError, match="no recipe 'third'"):
        bended.set_config("third")
    assert bended.config == "noise"
    del bended.config
    assert torch.equal(bended(X), loud)  # the bends that were there under no name


def net_bias(bended: tb.BendedModule) -> torch.Tensor:
    """The output where the last weight is 0: its bias alone."""
    bias: torch.Tensor = bended.module[2].bias
    return bias.expand(2, 4)


def test_with_bend_is_undone_at_the_end_of_the_block(bended: tb.BendedModule) -> None:
    plain = bended(X)
    with bended.bend(tb.Scale(2.0), "0.weight"):
        outer = bended(X)
        with pytest.raises(ZeroDivisionError), bended.bend(tb.Scale(3.0), "0.weight"):
            assert not torch.equal(bended(X), outer)
            raise ZeroDivisionError
        assert torch.equal(bended(X), outer)
    assert torch.equal(bended(X), plain) and bended.bended_keys() == []


def test_two_controls_of_one_name_are_refused(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0)), "0.weight")
    out = bended(X)
    with pytest.raises(ControlError, match="two different controls"):
        bended.bend(tb.Scale(tb.BendingParameter("gain", 3.0)), "2.weight")
    assert bended.bended_keys() == ["0.weight"] and torch.equal(bended(X), out)


def test_copies_share_nothing(bended: tb.BendedModule) -> None:
    gain = tb.BendingParameter("gain", 2.0)
    bended.bend(tb.Scale(gain), "0.weight", "_1$")
    bended.bend(tb.Mask(0.5, seed=1) >> tb.Bias(gain * 2), "2.weight")
    bended.save_config_as("kept")
    out = bended(X)
    for twin in (copy.deepcopy(bended), pickle.loads(pickle.dumps(bended))):
        assert torch.equal(twin(X), out)
        assert twin.bending_config("kept") == bended.bending_config("kept")
        twin.update("gain", 0.25)
        assert gain.get_value() == 2.0 and torch.equal(bended(X), out)
        assert len({id(c) for b in twin.bending_callbacks for c in b.controls()}) == 1
        twin.bend(tb.Scale(0.0), "2.weight")
        with torch.no_grad():
            twin.module[0].weight.zero_()
        assert torch.equal(bended(X), out)


def test_a_model_may_look_at_its_own_parameters_while_it_runs_bent() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert len(list(self.parameters())) == 3 and len(list(self.modules())) > 3
            return self.layer(x.to(next(self.parameters()).dtype))

    model = Looks()
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), "layer.weight$")
    wanted = nn.functional.linear(X, 2 * model.layer.weight, model.layer.bias)
    assert torch.allclose(bended(X), wanted, atol=1e-6)
