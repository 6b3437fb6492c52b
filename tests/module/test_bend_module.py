"""A copy with the bent weights is a plain module that gives what the bent one gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchbend as tb


def nets() -> list[nn.Module]:
    torch.manual_seed(0)
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    tied[1].weight = tied[0].weight
    parametrized = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    both = nn.utils.parametrizations.weight_norm(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), "bias", 0
    )
    with pytest.warns(FutureWarning):
        hooked = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 3)))
    return [tied, parametrized, hooked.requires_grad_(False), nn.Sequential(both)]


@pytest.mark.parametrize("index", range(4))
def test_the_copy_holds_the_bent_weights(index: int) -> None:
    net, x = nets()[index], torch.randn(4, 3)
    plain = net(x)
    bended = tb.BendedModule(net)
    bended.bend(tb.Scale(2.0), r"0\.weight$")
    bended.bend(tb.Bias(0.5), r"0\.bias")
    baked = bended.bend_module()
    wanted = bended(x)
    assert torch.equal(baked(x), wanted)
    assert not torch.equal(wanted, plain)
    assert torch.equal(net(x), plain)
    assert all(isinstance(p, nn.Parameter) for p in baked.parameters())
    baked.to(torch.float64)
    bended.reset()
    assert torch.allclose(baked(x.double()).float(), wanted, atol=1e-5)


def test_the_copy_of_a_version(index: int = 0) -> None:
    net, x = nets()[0], torch.randn(4, 3)
    bended = tb.BendedModule(net)
    bended.create_version("zero", {name: 0 * t for name, t in net.state_dict().items()})
    assert torch.equal(bended.bend_module("forward", version="zero")(x), torch.zeros(4, 3))
    assert bended.version == "_default"
    assert torch.equal(bended.bend_module()(x), net(x))


def test_tied_weights_stay_tied_in_the_copy() -> None:
    bended = tb.BendedModule(nets()[0])
    bended.bend(tb.Scale(2.0), r"0\.weight")
    baked = bended.bend_module()
    assert baked[0].weight is baked[1].weight
