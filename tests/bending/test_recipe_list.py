"""A recipe is a list: iterate, compare, add, look up, bind."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn

from torchbend.bending.callback import CallbackChain
from torchbend.bending.callbacks import Bias, Mask, Scale
from torchbend.bending.recipe import Bend, BendingConfig
from torchbend.errors import RecipeError, SiteNotFoundError


class Model:
    """The part of a bent model that a recipe needs."""

    def __init__(self, module, activations=()):
        self.module = module
        self.activations = list(activations)

    def bendable_keys(self, pattern, fn=None):
        import re

        names = [name for name, _ in self.module.named_parameters()]
        bare, _, wanted = pattern.rpartition(":")
        names += [
            a
            for a in self.activations
            if re.match(wanted, a.partition(":")[2]) and bare in ("", a.partition(":")[0])
        ]
        return [n for n in names if re.match(pattern, n) or ":" in n]


def recipe():
    return BendingConfig((Scale(2.0), "0.weight", "1.*"), (Mask(0.5, seed=1), "encode:add_4$"))


def test_it_iterates_as_it_was_made():
    config = recipe()
    assert list(config) == [(Scale(2.0), "0.weight", "1.*"), (Mask(0.5, seed=1), "encode:add_4$")]
    assert len(config) == 2 and config[0] == (Scale(2.0), "0.weight", "1.*") and len(config[1:]) == 1
    assert BendingConfig(*config) == config
    assert config.entries[0] == Bend(Scale(2.0), ("0.weight", "1.*"))


def test_append_extend_and_add():
    config = BendingConfig()
    config.append(Scale(2.0), "0.weight", "1.*")
    config.append((Mask(0.5, seed=1), "encode:add_4$"))
    assert config == recipe()
    config.extend(recipe())
    assert config == recipe() + recipe() and len(config) == 4
    config.extend([(Bias(), "x")])
    config.append(Bias(), "y", fn="decode", buffers=True)
    assert config.entries[-1].fn == "decode" and config.entries[-1].buffers
    assert config != recipe() and config != 3
    assert (recipe() + BendingConfig()) == recipe()


def test_it_contains_callbacks_entries_patterns_and_sites():
    config = recipe()
    assert Scale(2.0) in config and Scale(3.0) not in config
    assert "1.*" in config and "1.bias" in config and "0.bias" not in config
    assert "encode:add_4" in config and "encode:add_41" not in config and "decode:add_4" not in config
    assert (Scale(2.0), "0.weight", "1.*") in config and config.entries[1] in config


def test_op_from_key_gives_the_callback_or_the_chain():
    config = recipe()
    assert config.op_from_key("1.*") == Scale(2.0) == config.op_from_key("1.bias")
    config.append(Bias(1.0), "1.bias")
    assert config.op_from_key("1.bias") == CallbackChain(Scale(2.0), Bias(1.0))
    with pytest.raises(SiteNotFoundError, match="nothing in the recipe"):
        config.op_from_key("7.weight")


@pytest.mark.parametrize(
    "entry",
    [3, "a", (), (Scale(),), ("conv", Scale()), (Scale(), 3), (Scale(), "("), [Scale], (Scale(), "a", None)],
)
def test_malformed_entries_are_refused(entry):
    with pytest.raises(RecipeError):
        BendingConfig(entry)
    with pytest.raises(RecipeError):
        BendingConfig().append(entry)


def test_binding_checks_that_every_pattern_matches():
    model = Model(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), ["encode:add_4"])
    config = recipe()
    assert not config.is_binded and config.module is None
    assert config.bind(model) is config and config.is_binded and config.module is model
    assert config.binded_fn == ["encode"]
    with pytest.raises(RecipeError, match="matches nothing") as caught:
        config.append(Scale(), "7.weight")
    assert "7.weight" in str(caught.value) and len(config) == 2
    config.append(Scale(), "0.bias")
    with pytest.raises(RecipeError, match="bound to another"):
        config.bind(Model(nn.Linear(1, 1)))
    with pytest.raises(RecipeError, match="a bent model"):
        recipe().bind(nn.Linear(1, 1))


def test_copies_bind_elsewhere_and_share_their_callbacks():
    first, second = (
        Model(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), ["encode:add_4"]) for _ in range(2)
    )
    config = BendingConfig(*recipe(), module=first)
    other = config.copy_and_bind(second)
    assert other == config and other.module is second and config.module is first
    assert other.callbacks[0] is config.callbacks[0]
    assert (config + recipe()).module is first and not (config + other).is_binded


def test_a_recipe_does_not_keep_its_model_alive():
    model = Model(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), ["encode:add_4"])
    config, watch = recipe().bind(model), weakref.ref(model)
    del model
    gc.collect()
    assert watch() is None and not config.is_binded


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_and_unbound(copied):
    model = Model(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), ["encode:add_4"])
    config = copied(recipe().bind(model))
    assert config == recipe() and not config.is_binded
    assert torch.equal(config.callbacks[0](torch.ones(2)), torch.full((2,), 2.0))
