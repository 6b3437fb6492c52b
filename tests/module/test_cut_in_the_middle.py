"""``from_activations(get_activations(...))`` is the call itself, wherever it is cut."""

from __future__ import annotations

import pytest
import torch
from tests.zoo.compare import same
from tests.zoo.definition import Entry
from tests.zoo.handwritten import HANDWRITTEN
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import ReplayError, SiteNotFoundError

ENTRIES = {entry.name: entry for entry in HANDWRITTEN}
ROUND = """mlp sequential conv_autoencoder lstm gru lstm_cell_loop transformer_encoder transformer
tied_language_model graph_net fourier_operator einops_vit dcgan_generator dcgan_discriminator
old_spectral_norm style_generator coupling_flow coupling_flow_inverse vae_encode vector_quantizer joseph
wavenet vocoder_old_weight_norm vocoder_parametrized_weight_norm spectral_head spectral_mask self_recursive
nested_outputs keywords_only argument_named_input in_place_views data_control time_loop traced_sizes
constants_in_graph shared_submodule own_hooks"""


def _cuts(bended: tb.BendedModule, fn: str) -> list[str]:
    """Some activations in the middle: at a quarter, half and three quarters of the method."""
    known = bended.activations(fn)
    names = [n for n, a in known.items() if a.weight is None and a.op != "placeholder" and "[" not in n]
    return list(dict.fromkeys(names[len(names) * k // 4] for k in (1, 2, 3)))


@pytest.mark.parametrize("name", ROUND.split())
def test_the_round_trip_is_the_call(name: str) -> None:
    entry: Entry = ENTRIES[name]
    model = entry.build().requires_grad_(False)
    bended = tb.BendedModule(model)
    inputs = entry.inputs()
    bended.trace(entry.method, **inputs)
    wanted = getattr(model, entry.method)(**inputs)
    for cut in _cuts(bended, entry.method):
        found = bended.get_activations(f"{cut}$", fn=entry.method, _values="original", **inputs)
        kept = {k: v.clone() for k, v in found.items()}
        if name == "in_place_views" and cut in ("getitem_1", "transpose", "tanh_"):
            with pytest.raises(ReplayError, match="is a view of 'conv'"):
                bended.from_activations(cut, fn=entry.method, **{**inputs, **found})
            continue
        out = bended.from_activations(cut, fn=entry.method, **{**inputs, **found})
        assert same(out, wanted), cut
        assert all(torch.equal(found[k], kept[k]) for k in found), cut


@pytest.mark.parametrize("name", ["vocoder_old_weight_norm", "vocoder_parametrized_weight_norm"])
def test_a_vocoder_cut_in_its_middle_is_bent_on_both_sides(name: str) -> None:
    entry = ENTRIES[name]
    model = entry.build().requires_grad_(False)
    inputs = entry.inputs()
    plain = model(**inputs)
    bended = tb.BendedModule(model)
    bended.trace(**inputs)
    for bends in (
        [],
        [(tb.Scale(1.5), "ups_1$")],
        [(tb.Scale(1.5), "ups.1.weight$"), (tb.Bias(0.1), "add$")],
    ):
        for callback, pattern in bends:
            bended.bend(callback, pattern)
        out = bended(**inputs)
        assert torch.equal(out, plain) == (bends == [])
        for cut in ("first", "ups_0", "add", "ups_1", "add_3", "last"):
            found = bended.get_activations(f"{cut}$", _values="original", **inputs)
            assert torch.allclose(bended.from_activations(cut, **found), out, atol=1e-6), cut
        bended.reset()


@pytest.mark.parametrize("name", ["vocoder_old_weight_norm", "vocoder_parametrized_weight_norm"])
def test_a_vocoder_s_activation_serves_at_another_length(name: str) -> None:
    entry = ENTRIES[name]
    model = entry.build().requires_grad_(False)
    assert entry.other_inputs is not None
    bended = tb.BendedModule(model)
    bended.trace(**entry.inputs())
    other = entry.other_inputs()
    found = bended.get_activations("ups_0$", **other)
    assert torch.equal(bended.from_activations("ups_0", **found), model(**other))


class _Two(nn.Module):
    """Shape: x [B, 4], y [B, 4] -> [B, 4]."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        a = x.sin()
        b = y.cos()
        return a * b + y


def test_several_activations_at_once_and_what_is_missing() -> None:
    x, y = torch.rand(2, 4), torch.rand(2, 4)
    bended = tb.BendedModule(_Two())
    bended.trace(x, y)
    found = bended.get_activations("sin$", "cos$", x=x, y=y)
    assert torch.equal(bended.from_activations("sin", "cos", y=y, **found), x.sin() * y.cos() + y)
    assert torch.equal(bended.from_activations("sin", y=y, sin=found["sin"]), x.sin() * y.cos() + y)
    with pytest.raises(ReplayError, match="'y' is needed"):
        bended.from_activations("sin", "cos", **found)
    with pytest.raises(ReplayError, match="no value for sin"):
        bended.from_activations("sin", y=y)
    with pytest.raises(SiteNotFoundError, match="no activation 'sine'"):
        bended.from_activations("sine", sine=x)


def test_callbacks_on_what_is_given() -> None:
    x, y = torch.rand(2, 4), torch.rand(2, 4)
    bended = tb.BendedModule(_Two())
    bended.trace(x, y)
    sin = x.sin()
    wanted = 2 * sin * y.cos() + y
    assert torch.equal(bended.from_activations("sin", callbacks=tb.Scale(2.0), sin=sin, y=y), wanted)
    assert torch.equal(bended.from_activations("sin", callbacks=[tb.Scale(2.0)], sin=sin, y=y), wanted)
    assert torch.equal(bended.from_activations("sin", callbacks={"sin": tb.Scale(2.0)}, sin=sin, y=y), wanted)


class _Views(nn.Module):
    """Writes through views behind the cut. Shape: x [B, 4]."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        left = y[:, :2]
        left.mul_(3)
        y[:, 3] = 0
        return y


def test_writes_behind_the_cut_happen_and_leave_what_was_given_alone() -> None:
    x = torch.ones(2, 4)
    bended = tb.BendedModule(_Views())
    bended.trace(x)
    given = torch.full((2, 4), 5.0)
    out = bended.from_activations("mul", mul=given)
    assert torch.equal(out, torch.tensor([[15.0, 15.0, 5.0, 0.0]]).expand(2, 4))
    assert torch.equal(given, torch.full((2, 4), 5.0))


def test_a_write_behind_the_cut_that_needs_a_missing_input_is_told() -> None:
    class Writes(nn.Module):
        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            y = x * 2
            y[:, :2].mul_(z.sin())
            return y

    x, z = torch.ones(1, 4), torch.full((1, 1), 2.0)
    bended = tb.BendedModule(Writes())
    bended.trace(x, z)
    with pytest.raises(ReplayError, match="'z' is needed"):
        bended.from_activations("mul", mul=x * 2)
    assert torch.equal(bended.from_activations("mul", mul=x * 2, z=z), bended(x, z))


def test_a_constant_from_unseen_code_behind_the_cut_is_refused() -> None:
    class Numpy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.sin()
            z = torch.from_numpy(y.numpy() ** 2)
            return z.cos() + 1

    x = torch.ones(2, 4)
    bended = tb.BendedModule(Numpy())
    bended.trace(x)
    with pytest.raises(ReplayError):
        bended.from_activations("sin", sin=torch.zeros(2, 4))
    assert torch.equal(bended.from_activations("cos", cos=x), x + 1)


def test_what_vmap_computed_behind_the_cut_is_refused_too() -> None:
    """Nothing is read out of a tensor here: only the constant itself tells that the graph cannot go on."""

    class Mapped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.vmap(lambda row: row * row.sum())(x.sin()).cos() + 1

    x = torch.ones(2, 4)
    bended = tb.BendedModule(Mapped())
    bended.trace(x)
    with pytest.raises(ReplayError, match="code that cannot be seen"):
        bended.from_activations("sin", sin=torch.zeros(2, 4))
    with pytest.raises(ReplayError, match="code that cannot be seen"):
        bended.graph_module()(torch.zeros(2, 4))
    assert torch.equal(bended.from_activations("cos", cos=x), x + 1)
    assert torch.equal(bended(torch.zeros(2, 4)), torch.full((2, 4), 2.0))
