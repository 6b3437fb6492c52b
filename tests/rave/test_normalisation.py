"""Weights from their parts: right, computed once, and never stale."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import torchbend as tb
from torchbend.rave.convolution import NormConv1d, NormConvTranspose1d


def layers() -> list[NormConv1d | NormConvTranspose1d]:
    torch.manual_seed(0)
    return [NormConv1d(4, 6, 3), NormConvTranspose1d(4, 6, 2)]


def reference(layer: NormConv1d | NormConvTranspose1d) -> torch.Tensor:
    v = layer.weight_v
    return layer.weight_g * v / v.flatten(1).norm(dim=1)[:, None, None]


@pytest.mark.parametrize("layer", layers(), ids=["conv", "transposed"])
def test_the_weight_is_the_product_of_its_parts(layer: NormConv1d) -> None:
    with torch.no_grad():
        assert torch.allclose(layer.weight, reference(layer), rtol=1e-6)
        assert layer.weight_g.shape == (len(layer.weight_v), 1, 1)
        layer.weight_g.mul_(3)
        assert torch.allclose(layer.weight, reference(layer), rtol=1e-6), "a change in place is seen"
        layer.weight_v.add_(0.3)
        assert torch.allclose(layer.weight, reference(layer), rtol=1e-6)
        layer.load_state_dict({k: v * 2 + 1 for k, v in layer.state_dict().items()})
        assert torch.allclose(layer.weight, reference(layer), rtol=1e-6)
        layer.double()
        assert layer.weight.dtype == torch.float64
        assert torch.allclose(layer.weight, reference(layer))


def test_it_is_computed_once() -> None:
    (layer, _) = layers()
    with torch.no_grad():
        first = layer.weight
        assert layer.weight is first
        layer.forget()
        assert layer.weight is not first


def test_a_kernel_of_zeros_is_silent() -> None:
    """A bend that masks a whole kernel leaves no direction: no NaN comes of it, and NaN is not hidden."""
    (layer, _) = layers()
    with torch.no_grad():
        before = layer.weight.clone()
        layer.weight_v[2] = 0.0
        assert torch.equal(layer.weight[2], torch.zeros(4, 3))
        assert torch.equal(layer.weight[3], before[3])
        layer.weight_v[1, 0, 0] = float("nan")
        assert bool(layer.weight[1].isnan().all())


def test_gradients_reach_the_parts() -> None:
    (layer, _) = layers()
    layer(torch.randn(1, 4, 8)).square().sum().backward()
    assert layer.weight_g.grad is not None and float(layer.weight_g.grad.abs().sum()) > 0
    assert layer.weight_v.grad is not None and float(layer.weight_v.grad.abs().sum()) > 0
    plain = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(4, 6, 3, bias=False))
    with torch.no_grad():
        plain.parametrizations.weight.original0.copy_(layer.weight_g)
        plain.parametrizations.weight.original1.copy_(layer.weight_v)
    x = torch.randn(2, 4, 9)
    layer.zero_grad()
    layer(x).square().sum().backward()
    plain(x).square().sum().backward()
    assert torch.allclose(layer.weight_v.grad, plain.parametrizations.weight.original1.grad, atol=1e-5)


def test_copies_do_not_share() -> None:
    (layer, _) = layers()
    with torch.no_grad():
        before = layer.weight.clone()
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            twin.weight_g.zero_()
            assert float(twin.weight.abs().max()) == 0.0
            assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("site", ["weight_g", "weight_v", "weight"])
def test_each_part_and_the_whole_can_be_bent(site: str, streaming: bool) -> None:
    torch.manual_seed(0)
    model = tb.rave.RAVE(tb.rave.preset("v2", capacity=4, latent_size=4)).eval().requires_grad_(False)
    conv = model.encoder.encoder.net[0]
    if streaming:
        model.stream()
    bended = tb.BendedModule(model)
    name = f"encoder.encoder.net.0.{site}"
    assert name in bended.weight_names
    kept = {part: getattr(conv, part).clone() for part in ("weight_g", "weight_v", "weight")}
    callback = tb.Lambda(lambda w: w.flip(0) * 2)
    bended.bend(callback, f"{name}$")
    seen: list[torch.Tensor] = []
    hook = conv.register_forward_hook(lambda m, i, o: seen.append(conv.weight.clone()))
    bended.encode(torch.randn(1, 1, 4 * model.ratio))
    hook.remove()
    parts = {part: kept[part] for part in ("weight_g", "weight_v")}
    if site == "weight":
        wanted = kept["weight"].flip(0) * 2
    else:
        parts[site] = parts[site].flip(0) * 2
        wanted = torch._weight_norm(parts["weight_v"], parts["weight_g"], 0)
    assert torch.allclose(seen[0], wanted, atol=1e-6)
    assert torch.equal(bended.bended_weights()[name], kept[site].flip(0) * 2)
    bended.reset()
    assert all(torch.equal(getattr(conv, part), kept[part]) for part in kept)


def test_a_bent_weight_is_computed_once_per_change() -> None:
    model = tb.rave.RAVE(tb.rave.preset("v2", capacity=4, latent_size=4)).eval().requires_grad_(False)
    conv = model.encoder.encoder.net[0]
    bended = tb.BendedModule(model)
    amount = tb.BendingParameter("amount", 2.0)
    bended.bend(tb.Scale(amount), r"encoder\.encoder\.net\.0\.weight_g")
    seen: list[torch.Tensor] = []
    conv.register_forward_hook(lambda m, i, o: seen.append(conv.weight))
    x = torch.randn(1, 1, model.ratio)
    for _ in range(3):
        bended.encode(x)
    assert seen[0] is seen[1] is seen[2]
    bended.update("amount", 3.0)
    bended.encode(x)
    assert torch.allclose(seen[3], seen[0] * 1.5)
