"""A bend applies once, bends of one site compose, and reset forgets all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ControlError

from .models import TiedHead, joseph, seconds, seeded_linear, wave_of


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("pattern", ["f0", "f0$", "f0.*"])
def test_a_name_that_is_a_weight_means_the_weight_once(traced: bool, pattern: str) -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    if traced:
        bended.trace(t=t)
        assert "f0" in bended.activation_names()
    bended.bend(tb.Scale(4.0), pattern)
    assert bended.bended_keys() == ["f0"]
    assert torch.equal(bended.bended_weights()["f0"], torch.full((1, 1, 1), 440.0))
    assert torch.allclose(bended(t), wave_of(t, 440.0), atol=1e-6)


def test_a_trace_between_bend_and_call_changes_nothing() -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.bend(tb.Scale(4.0), "f0")
    before = bended(t)
    bended.trace(t=t)
    assert torch.equal(bended(t), before)


def test_two_bends_of_a_weight_compose_in_the_order_made() -> None:
    bended = tb.BendedModule(joseph())
    bended.bend(tb.Scale(2.0), "f0")
    bended.bend(tb.Scale(3.0), "f0")
    assert bended.bended_weights()["f0"].item() == 660.0
    bended.reset()
    bended.bend(tb.Scale(2.0), "f0")
    bended.bend(tb.Bias(10.0), "f0")
    assert bended.bended_weights()["f0"].item() == 230.0
    bended.reset()
    bended.bend(tb.Bias(10.0), "f0")
    bended.bend(tb.Scale(2.0), "f0")
    assert bended.bended_weights()["f0"].item() == 240.0


def test_two_bends_of_an_activation_compose_in_the_order_made() -> None:
    t = seconds()
    bended = tb.BendedModule(joseph())
    bended.trace(t=t)
    sin = bended.get_activations("sin$", t=t)["sin"]
    bended.bend(tb.Scale(2.0), "sin$")
    bended.bend(tb.Scale(3.0), "sin$")
    assert torch.equal(bended.get_activations("sin$", t=t)["sin"], sin * 2 * 3)
    assert torch.allclose(bended(t), wave_of(t, gain=6.0), atol=1e-6)
    bended.reset()
    bended.bend(tb.Scale(2.0), "sin$")
    bended.bend(tb.Bias(10.0), "sin$")
    assert torch.equal(bended.get_activations("sin$", t=t)["sin"], sin * 2 + 10)


def test_both_names_of_a_tied_weight_are_listed_and_bent_together() -> None:
    model = TiedHead()
    ids = torch.tensor([[1, 5, 3]])
    table = model.embedding.weight.detach()
    for name in ("embedding.weight", "head.weight"):
        bended = tb.BendedModule(model)
        assert bended.weight_names == ["embedding.weight", "head.weight"]
        bended.bend(tb.Scale(2.0), name)
        assert torch.equal(bended(ids), (2 * table)[ids] @ (2 * table).T)
        assert set(bended.bended_weights()) == {"embedding.weight", "head.weight"}


def test_a_pattern_that_matches_both_names_bends_the_tied_tensor_once() -> None:
    model = TiedHead()
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(3.0), ".*weight")
    assert torch.equal(bended.bended_weights()["head.weight"], 3 * model.embedding.weight)


def test_tied_weights_of_gpt2_are_bent_together() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_embd=8, n_layer=1, n_head=2, vocab_size=32, n_positions=8, initializer_range=0.2
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    bended = tb.BendedModule(model)
    assert {"transformer.wte.weight", "lm_head.weight"} <= set(bended.weight_names)
    bended.bend(tb.Scale(2.0), "lm_head.weight")
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        out = bended(input_ids=ids).logits
        reference = transformers.GPT2LMHeadModel(config).eval()
        reference.load_state_dict(model.state_dict())
        reference.transformer.wte.weight.mul_(2.0)
        assert reference.lm_head.weight is reference.transformer.wte.weight
        assert torch.equal(out, reference(input_ids=ids).logits)


def test_reset_forgets_bends_and_controls() -> None:
    model = seeded_linear(4, 4)
    x = torch.ones(1, 4)
    plain = model(x)
    gain = tb.BendingParameter("gain", 2.0)
    bended = tb.BendedModule(model)
    bended.trace(x)
    bended.bend(tb.Scale(gain), "0.weight", "_0$")
    assert list(bended.controllables) == ["gain"]
    bended.reset()
    assert bended.bended_keys() == [] and bended.controllables == {}
    assert bended.bended_params == {} and bended.bended_activations() == {}
    assert bended.bending_callbacks == [] and bended.bended_weights() == {}
    assert torch.equal(bended(x), plain)
    with pytest.raises(ControlError, match="there is no control 'gain'"):
        bended.update("gain", 3.0)
    gain.set_value(3.0)  # a control without a bend can be turned all the same
    assert torch.equal(bended(x), plain)


def test_a_callback_can_be_used_again_after_reset() -> None:
    model = seeded_linear(4, 4)
    gain = tb.BendingParameter("gain", 2.0)
    scale = tb.Scale(gain)
    bended = tb.BendedModule(model)
    for round_ in range(5):
        bended.bend(scale, "0.weight")
        bended.update("gain", float(round_))
        assert torch.equal(bended.bended_weights()["0.weight"], model[0].weight * float(round_))
        assert bended.bended_keys() == ["0.weight"]
        bended.reset()


def test_a_callback_can_be_shared_by_models_and_sites() -> None:
    first, second = seeded_linear(4, 4), seeded_linear(4, 3)
    noise = tb.Normal(0.5, seed=1)
    one, two = tb.BendedModule(first), tb.BendedModule(second)
    one.bend(noise, "0.weight", "0.bias")
    two.bend(noise, "0.weight")
    drawn = one.bended_weights()
    assert drawn["0.weight"].shape == (4, 4) and two.bended_weights()["0.weight"].shape == (3, 4)
    two.reset()
    assert torch.equal(one.bended_weights()["0.bias"], drawn["0.bias"])
    assert not torch.equal(drawn["0.bias"], first[0].bias)


class _Keeps(tb.BendingCallback):
    """Writes to lists of its own, as the documents' style does."""

    controllable_params = ("amount",)

    def __init__(self, amount: float | tb.BendingParameter = 1.0) -> None:
        super().__init__()
        self.register_controllable("amount", amount)
        self.seen: list[str] = []

    def bend(self, x: Tensor, site: tb.SiteState) -> Tensor:
        self.seen.append(site.name)
        return x * self.get("amount")


class _Other(_Keeps):
    pass


def test_no_state_leaks_between_instances_or_subclasses() -> None:
    model = seeded_linear(4, 4)
    a, b, c = _Keeps(2.0), _Keeps(3.0), _Other(tb.BendingParameter("c", 4.0))
    bended = tb.BendedModule(model)
    bended.bend(a, "0.weight")
    bended(torch.ones(1, 4))
    assert a.seen == ["0.weight"] and b.seen == [] and c.seen == []
    assert b.controls() == [] and [p.name for p in c.controls()] == ["c"]
    assert (a.get("amount"), b.get("amount"), c.get("amount")) == (2.0, 3.0, 4.0)
    assert tb.BendingCallback.controllable_params == ()


def test_two_bent_models_share_nothing() -> None:
    model = seeded_linear(4, 4)
    x = torch.ones(1, 4)
    one, two = tb.BendedModule(model), tb.BendedModule(model)
    one.trace(x)
    one.bend(tb.Scale(0.0), ".*")
    assert not two.is_traced() and two.bended_keys() == []
    assert torch.equal(two(x), model(x))
    assert torch.equal(one(x), torch.zeros(1, 4))


def test_equal_callbacks_in_a_container_stay_apart() -> None:
    chain = tb.Scale(2.0) >> tb.Scale(2.0)
    assert len(chain) == 2
    bended = tb.BendedModule(nn.Linear(2, 2))
    bended.bend(chain, "weight")
    assert torch.equal(bended.bended_weights()["weight"], bended.module.weight * 4)
