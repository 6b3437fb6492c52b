"""A recipe survives its file: equal, live, bound to its model."""

import json
import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from torchbend.bending.callback import BendingCallback, CallbackChain
from torchbend.bending.callbacks import (
    Affine,
    Bias,
    Blend,
    Clamp,
    Cluster,
    Fold,
    Freeze,
    Lambda,
    Mask,
    Normal,
    Permute,
    Quantize,
    Replace,
    Rewire,
    Roll,
    Scale,
    Smooth,
)
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.recipe import Bend, BendingConfig
from torchbend.errors import RecipeError


class Own(BendingCallback):
    """A callback of a user's own."""

    controllable_params = ("amount",)

    def __init__(self, amount=1.0, *rest, mode="a", **more):
        super().__init__()
        self.rest, self.mode, self.more = rest, mode, more

    def bend(self, x):
        return x * self.get("amount")


class Model:
    def __init__(self, module):
        self.module = module

    def bendable_keys(self, pattern, fn=None):
        import re

        return [name for name, _ in self.module.named_parameters() if re.match(pattern, name)]


def round_trip(config, tmp_path, **options):
    path = config.save(tmp_path / "recipe.json")
    return BendingConfig.load(path, **options)


NUMBERS = st.floats(-1e6, 1e6) | st.integers(-(10**9), 10**9) | st.sampled_from([1j, float("inf"), True])
SEEDS = st.integers(0, 2**31)
LEAVES = st.one_of(
    st.builds(Scale, NUMBERS),
    st.builds(Affine, NUMBERS, NUMBERS),
    st.builds(Mask, st.floats(0, 1), SEEDS, st.none() | st.integers(-3, 3)),
    st.builds(Normal, st.floats(0, 5), SEEDS, op=st.sampled_from(["add", "mul"])),
    st.builds(Permute, st.none() | st.integers(-3, 3), SEEDS),
    st.builds(Clamp, st.none() | st.floats(-9, 0), st.floats(0, 9)),
    st.builds(Quantize, st.floats(2, 16)),
    st.builds(Rewire, st.lists(st.integers(0, 9)) | st.dictionaries(st.integers(0, 9), st.integers(0, 9))),
    st.builds(Replace, st.integers(1, 4).map(torch.ones)),
)
CALLBACKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda cbs: CallbackChain(*cbs)),
        st.builds(Blend, inner, st.floats(0, 1)),
        st.builds(Cluster, inner, st.lists(st.integers(0, 20), unique=True)),
    ),
    max_leaves=6,
)
PATTERNS = st.lists(
    st.text(max_size=20).map(lambda t: "".join(c if c.isalnum() else "." for c in t)), min_size=1
)
BENDS = st.builds(
    Bend, CALLBACKS, PATTERNS.map(tuple), st.none() | st.sampled_from(["encode"]), st.booleans()
)


@given(bends=st.lists(BENDS, max_size=4))
def test_any_recipe_survives_its_file(bends, tmp_path_factory):
    config = BendingConfig(*bends)
    again = round_trip(config, tmp_path_factory.mktemp("recipe"))
    assert again == config and again.entries == config.entries


def test_controls_stay_shared_live_and_ranged(tmp_path):
    control = BendingParameter("gain", 0.5, range=(0, 1), clamp=True, weight=2.0, bias=0.25)
    steps, on, turn = BendingParameter("steps", 2), BendingParameter("on", True), BendingParameter("turn", 1j)
    config = BendingConfig(
        (Scale(2 * control + 1) >> Bias(-control), "a"),
        (Blend(Roll(steps), control), "b"),
        (Freeze(on), "c"),
        (Scale(turn), "d"),
    )
    again = round_trip(config, tmp_path)
    assert again == config
    loaded = again.callbacks[0].controls()[0]
    assert loaded in again.callbacks[1].controls() and loaded is not control
    assert (loaded.range, loaded.clamp, loaded.type) == ((0, 1), True, float)
    assert [type(c.controls()[0].get_value()) for c in again.callbacks[2:]] == [bool, complex]
    loaded.set_value(0.0)
    assert torch.equal(again.callbacks[0](torch.ones(1)), torch.tensor([1.5 - 0.25]))
    assert control.get_value() == 1.25


def test_the_file_is_readable_json(tmp_path):
    control = BendingParameter("gain", 0.5, range=(0, 1))
    path = BendingConfig((Scale(2 * control), "conv.*")).save(tmp_path / "r.json")
    content = json.loads(path.read_text())
    assert content["format"] == "torchbend recipe" and content["version"] == 1
    assert content["controls"] == {"gain": {"type": "float", "value": 0.5, "range": [0, 1], "clamp": False}}
    assert content["bends"] == [
        {
            "patterns": ["conv.*"],
            "callback": "Scale",
            "arguments": {"scale": {"expression": ["mul", 2, {"control": "gain"}]}},
        }
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_tensors_lie_beside(tmp_path):
    value = torch.randn(3, 4).half().t()
    config = BendingConfig((Replace(value), "a"), (Scale(torch.tensor(2.0)), "b"))
    again = round_trip(config, tmp_path)
    assert again == config and torch.equal(again.callbacks[0].value, value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recipe.json", "recipe.safetensors"]


def test_own_classes_are_passed_and_never_imported(tmp_path):
    config = BendingConfig((Own(2.0, 3, "x", mode="b", extra=(1, [2.5])) >> Fold(), "a"))
    path = config.save(tmp_path / "r.json")
    with pytest.raises(RecipeError, match="Own") as caught:
        BendingConfig.load(path)
    assert "callbacks=[Own]" in str(caught.value)
    again = BendingConfig.load(path, callbacks=[Own])
    assert again == config and again.callbacks[0][0].more == {"extra": (1, [2.5])}
    with pytest.raises(RecipeError, match="classes"):
        BendingConfig.load(path, callbacks=[Own()])


def test_code_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(RecipeError, match="never code") as caught:
        BendingConfig((Scale() >> Lambda(torch.relu), "a")).save(tmp_path / "r.json")
    assert "BendingCallback subclass" in str(caught.value) and "callbacks=[" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_two_controls_of_one_name_are_refused(tmp_path):
    config = BendingConfig((Affine(BendingParameter("c", 1.0), BendingParameter("c", 2.0)), "a"))
    with pytest.raises(RecipeError, match="two controls of one name"):
        config.save(tmp_path / "r.json")


def test_saving_replaces_at_once_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "r.json"
    BendingConfig((Scale(1.0), "a")).save(path)
    BendingConfig((Scale(2.0), "a")).save(path)
    assert BendingConfig.load(path).callbacks == [Scale(2.0)] and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(RecipeError, match="cannot be written"):
        BendingConfig().save(tmp_path / "missing" / "r.json")
    with pytest.raises(RecipeError, match="JSON file"):
        BendingConfig().save(tmp_path / "r.safetensors")
    deep = Scale()
    for _ in range(150):
        deep = Blend(deep)
    with pytest.raises(RecipeError, match="nested too deeply"):
        BendingConfig((deep, "a")).save(path)


def test_a_recipe_knows_its_model(tmp_path, caplog):
    small, large = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Sequential(nn.Linear(2, 4))
    model = Model(small)
    config = BendingConfig((Scale(2.0), "0.weight"), (Smooth(), "1.bias", "0.bias"), module=model)
    path = config.save(tmp_path / "r.json")
    again = BendingConfig.load(path, module=model)
    assert again == config and again.module is model
    assert not BendingConfig.load(path).is_binded
    other = Model(large)
    with pytest.raises(RecipeError, match="another model") as caught:
        BendingConfig.load(path, module=other)
    text = str(caught.value)
    assert "missing: 1.bias" in text and "0.weight float32[4, 2], not float32[3, 2]" in text
    with caplog.at_level(logging.WARNING):
        partial = BendingConfig.load(path, module=other, strict=False)
    assert list(partial) == [(Scale(2.0), "0.weight"), (Smooth(), "0.bias")] and partial.module is other
    assert "1.bias" in caplog.text and "another model" in caplog.text
    with pytest.raises(RecipeError, match="extra: more"):
        small.register_buffer("more", torch.ones(1))
        BendingConfig.load(path, module=model)
